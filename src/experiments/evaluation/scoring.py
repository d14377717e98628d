"""The scores that a run gives the clips of any corpus, computed where they are missing.

Embeddings that are missing are extracted with the model, precision and window of the run's own, and of the layers that
it uses alone; the store is kept, so that the next run has them. Detectors score the recordings themselves. Scores are
noted after every 1,000 clips, so that what was killed resumes there. A recording that cannot be used is left out and
counted. Clips of one class are enough, as nothing is fitted.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from src.audio.io import UnusableAudio, load_waveform
from src.backbones import CPU_ONLY
from src.experiments.corpus.catalogue import usable_or_reason
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Limits, Request
from src.experiments.inputs.choices import MIX, layers_in
from src.experiments.inputs.contract import TRAIN
from src.experiments.inputs.embeddings import WINDOW, Embeddings
from src.experiments.training.trained import Trained
from src.utils.clip_table import ClipTable
from src.utils.embeddings import META, describe_layers, read_store_meta
from src.utils.files import write_text
from src.utils.paths import embeddings_folder
from src.utils.waveform_table import WaveformTable

AT_ONCE = 1000
UNDER_WAY = "under_way.jsonl"
"""A line that says what is scored, and one for each part: its first clip and its scores, null where there is none."""
LONGEST_WINDOW = 30.0
"""Seconds; of stores that note none."""


@dataclass(frozen=True)
class ScoredClips:
    """Clips of a corpus with the scores of a run."""

    table: ClipTable
    """Those that could be scored."""
    scores: np.ndarray
    """Shape (n,): higher = more bona fide."""
    n_unusable: int
    origin: dict[str, Any]
    """What the input says of these clips."""


def score_corpus(trained: Trained, dataset: Path, split: str, *, root: Path, folder: Path) -> ScoredClips:
    """Score the clips of a split, or all clips, of a corpus.

    Parameters
    ----------
    trained : Trained
    dataset : Path
    split : str
        Or `splits.ALL`.
    root : Path
        Holds `embeddings/`.
    folder : Path
        Where scores are noted while they are computed.

    Raises
    ------
    FileNotFoundError, ValueError
        When the corpus has no such clips, or its embeddings are of another model.
    """
    if isinstance(trained.recipe.input, Embeddings):
        extract_missing(trained, trained.recipe.input, dataset, split, root)
    opened = trained.open(dataset, root)
    opened.check(split)
    table, origin = opened.read(split), opened.origin(split)
    if isinstance(trained.recipe.input, Embeddings):
        what = f"The embeddings that {trained.folder} was trained on and those of {dataset}"
        trained.recipe.input.require_like(trained.origin(TRAIN), origin, what)
    digest = f"{origin.get('corpus_digest')} {origin.get('split_digest')}"
    scores = _noted_scores(trained, table, folder / UNDER_WAY, digest)
    usable = np.isfinite(scores)
    if not usable.any():
        raise ValueError(f"None of the {len(table)} clips of {dataset} can be used.")
    return ScoredClips(table.take(usable), scores[usable], int((~usable).sum()), origin)


def extract_missing(trained: Trained, asked: Embeddings, dataset: Path, split: str, root: Path) -> None:
    """Compute the embeddings of a split that a run needs and that are missing, as those of its training were."""
    layer = -1 if asked.layer is None else asked.layer
    n_backbones = len(asked.backbones)
    wanted = [None] * n_backbones if layer == MIX else layers_in(layer, n_backbones)
    for backbone, number in zip(asked.backbones, wanted, strict=True):
        meta = trained.store_of(backbone)
        store = embeddings_folder(root, dataset, backbone, split)
        layers = meta["layers"] if number is None else [number if number >= 0 else meta["layers"][number]]
        if (store / META).is_file():
            layers = read_store_meta(store).layers
        has_model = backbone not in CPU_ONLY
        request = Request(
            dataset,
            [split],
            backbone,
            model=meta["model"] if has_model else None,
            precision=meta["precision"] if has_model else "auto",
            layers=describe_layers(layers),
            limits=Limits(window_seconds=meta.get("max_seconds", LONGEST_WINDOW)),
            window=meta.get(WINDOW) or None,
        )
        for _ in extract_splits(request, root=root):
            pass


def _noted_scores(trained: Trained, table: ClipTable, note: Path, digest: str) -> np.ndarray:
    """Return the score of every clip, shape (n,); NaN where it cannot be used; what is noted is not computed."""
    about = {"trained": str(trained.provenance.get("ended")), "clips": len(table), "corpus_digest": digest}
    found = np.full(len(table), np.nan)
    noted = _resumed(note, about) if len(table) > AT_ONCE else {}
    for start in range(0, len(table), AT_ONCE):
        part = np.arange(start, min(start + AT_ONCE, len(table)))
        if len(noted.get(start, [])) == len(part):
            found[part] = np.array(noted[start], dtype=float)
            continue
        found[part] = _scores_of(trained, table.take(part))
        if len(table) > AT_ONCE:
            with note.open("a", encoding="utf-8") as file:
                file.write(_line([start, [None if np.isnan(score) else float(score) for score in found[part]]]))
    return found


def _resumed(note: Path, about: dict[str, Any]) -> dict[int, list[float | None]]:
    """Return the parts that are noted, first clip -> scores; leave a note without what a kill cut short."""
    lines = note.read_text(encoding="utf-8").splitlines(keepends=True) if note.is_file() else []
    if not lines or lines[0] != _line(about):
        lines = [_line(about)]
    lines = [line for line in lines if line.endswith("\n")]
    write_text(note, "".join(lines))
    return dict(json.loads(line) for line in lines[1:])


def _line(content: Any) -> str:
    return json.dumps(content) + "\n"


def _scores_of(trained: Trained, part: ClipTable) -> np.ndarray:
    """Score clips, shape (n,); NaN for a recording that a detector cannot use."""
    try:
        return trained.scores(part)
    except (UnusableAudio, ValueError):
        if not isinstance(part, WaveformTable):
            raise
        usable = np.array([not usable_or_reason(load_waveform, Path(str(path)))[1] for path in part.paths])
        if usable.all():
            raise
    scores = np.full(len(part), np.nan)
    if usable.any():
        scores[usable] = trained.scores(part.take(usable))
    return scores
