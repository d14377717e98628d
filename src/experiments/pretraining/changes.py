"""What a pretraining changed: how far the embeddings of every layer have moved from those of the start.

Both models hear the same clips, which neither was trained on. Two distances are told of each layer:

    1 - CKA      of the frames (`metrics/similarity.py`): 0 where the layer tells the same things apart as before, in
                 whatever directions; near 1 where it tells other things apart
    1 - cosine   between the means of a clip's frames, mean over clips: 0 where a classifier that was trained on the
                 embeddings before could go on with those after

A model that was carried on from a published one and has hardly moved has learnt little from the new speech, and one
whose lower layers have moved far may have forgotten what it knew: then a lower `learning_rate` or `layer_decay` helps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.audio.io import SPEECH_RATE, UnusableAudio, is_silent, load_waveform
from src.backbones.clips import WINDOW_SECONDS
from src.experiments.pretraining.clip_embeddings import load_local
from src.experiments.runs.artefacts import save_figure
from src.metrics.similarity import LinearCka, cosine
from src.utils.dataset import write_table

TABLE, PICTURE = "changes.csv", "changes.png"
MOST_CLIPS = 200
"""Of more clips, so many are heard, at equal distances in their list."""


@dataclass(frozen=True)
class Changes:
    """How far the layers of a model have moved."""

    table: pd.DataFrame
    """A row for each layer: layer, cka_distance, cosine_distance."""
    n_clips: int

    def __str__(self) -> str:
        parts = [
            f"layer {row['layer']:.0f}: {row['cka_distance']:.3f} and {row['cosine_distance']:.3f}"
            for row in self.table.to_dict("records")
        ]
        return f"Moved from the start, on {self.n_clips} held-out clips (1 - CKA and 1 - cosine): {'; '.join(parts)}."

    def as_json(self) -> dict[str, Any]:
        """Return what the metrics of a run say of it; a distance that is not known is None."""
        known = self.table.astype(object).where(self.table.notna(), None)
        return {"clips": self.n_clips, "layers": known.to_dict("records"), "in_words": [str(self)]}

    def write(self, folder: Path) -> None:
        """Write `changes.csv` and `changes.png`."""
        from src.visualize.pretraining import changes_figure

        write_table(folder / TABLE, self.table)
        save_figure(folder / PICTURE, changes_figure(*(self.table[name].to_numpy() for name in self.table)))


def measure_changes(before: Path, after: Path, clips: Sequence[Path], *, device: str = "auto") -> Changes:
    """Measure how far the layers of a model have moved.

    Parameters
    ----------
    before, after : Path
        Folders of one model at the start and at the end of a pretraining.
    clips : sequence of Path
        Recordings that were not trained on.
    device : str
        As for `load_backbone`.

    Raises
    ------
    ValueError
        When the two models are of different shapes, or no clip can be heard.
    FileNotFoundError
        When a folder holds no model.
    """
    first, second = (load_local(folder, device=device) for folder in (before, after))
    if first.layers != second.layers:
        raise ValueError(f"{before} and {after} are of different depths: changes are those of one model.")
    ckas = [LinearCka() for _ in first.layers]
    cosines = []
    for waveform in _heard(clips, max(first.min_samples, second.min_samples)):
        frames = [backbone.frames(waveform).astype(np.float64) for backbone in (first, second)]
        for cka, of_first, of_second in zip(ckas, *frames, strict=True):
            cka.add(of_first, of_second)
        cosines.append(_cosines_of_means(*frames))
    if not cosines:
        raise ValueError(f"None of the {len(clips)} held-out clips can be heard, so that no change can be measured.")
    distances = zip(first.layers, (1 - cka.value() for cka in ckas), 1 - np.mean(cosines, axis=0), strict=True)
    return Changes(pd.DataFrame(distances, columns=["layer", "cka_distance", "cosine_distance"]), len(cosines))


def _cosines_of_means(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return for each layer the cosine between the means of frames (layers, t, d), shape (layers,)."""
    return cosine(first.mean(axis=1), second.mean(axis=1))


def _heard(clips: Sequence[Path], min_samples: int) -> Iterator[np.ndarray]:
    """Yield the beginnings of some clips; those that cannot be used are passed over."""
    places = np.unique(np.linspace(0, len(clips) - 1, min(MOST_CLIPS, len(clips))).round().astype(int))
    for place in places:
        try:
            waveform = load_waveform(clips[place], SPEECH_RATE)[: int(WINDOW_SECONDS * SPEECH_RATE)]
        except UnusableAudio:
            continue
        if len(waveform) >= min_samples and not is_silent(waveform):
            yield waveform
