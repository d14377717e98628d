"""A run under distortions: its test clips, distorted in many ways and strengths, and the EER of each.

`stress_grid.py` lists the distortions. Nothing is fitted here: scores are calibrated, and decisions made, as the run's
validation data had it. Every clip has the same noise at all strengths, and every EER is resampled with the same people,
so that what differs between two points of a curve is the strength alone. Babble is of the test's own bona fide clips,
by other people than the clip's own where there are others.

The scores of each distortion are kept in `<run>/stress/`, so that a stress test that was killed, or asked for more
distortions, computes only what is missing; `stress_results.json`, written last, is made of all of them. What mixes in
recordings is computed again when these are others, whatever does not stays.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from src.audio.augment.contract import Kind, find_effect
from src.audio.augment.sources import Sources
from src.experiments.corpus.copies import Steps
from src.experiments.corpus.transforms import clip_seed
from src.experiments.evaluation.distorted import PART, DistortedTest
from src.experiments.evaluation.held_out import USUAL, HeldOutClips, read_held_out
from src.experiments.evaluation.stress_grid import Distortion, grid_of, whole_grid
from src.experiments.evaluation.stress_results import CLEAN, StressResult, sum_up, write_scores
from src.experiments.runs.artefacts import STRESS, STRESS_RESULTS
from src.experiments.runs.folders import alone
from src.experiments.runs.names import RunName
from src.experiments.training.models import model_class
from src.experiments.training.trained import Trained, read_trained
from src.utils.babble import OthersVoices
from src.utils.files import file_digest, fingerprint, read_json, text_digest, write_json
from src.utils.labels import BONAFIDE

ASKED = "asked.json"
"""What the scores in the folder belong to: clips, weights and seed, and what was mixed in."""
BABBLE = "of others"
"""Of whom babble is; another word makes kept scores of babble be computed again."""


@dataclass(frozen=True)
class StressWish:
    """What a stress test is asked for."""

    effects: tuple[str, ...] = ()
    """Distortions by name; none = all of the grid."""
    seed: int = 7
    model: str | None = None
    """Folder of the backbone's model, where the run's was a local one."""
    noises: Path | None = None
    """Folder of recordings of noise."""
    rooms: Path | None = None
    """Folder of responses of rooms."""

    def __post_init__(self) -> None:
        for name in self.effects:
            find_effect(name)


ALL = StressWish()


def stress_run(name: RunName, wish: StressWish = ALL, *, root: Path) -> StressResult:
    """Score the usual test of a run under every distortion asked for; write results, scores and a picture.

    Parameters
    ----------
    name : RunName
        A study alone stands for its best trial.
    wish : StressWish
    root : Path
        Holds `embeddings/` and `runs/`.

    Raises
    ------
    ValueError
        When a distortion is unknown, the run is a fusion, or the clips cannot test it.
    """
    trained = read_trained(root, name)
    clips = read_held_out(trained, USUAL, root)
    table, folders = clips.table, Sources(clips.dataset, (), wish.noises, wish.rooms)
    voices = OthersVoices(folders, table.files, table.speakers, table.labels == BONAFIDE)
    grid = grid_of(wish.effects, voices.into_clips_of(""))
    test = DistortedTest(trained, USUAL, clips, wish.model)
    folder = trained.folder / STRESS
    folder.mkdir(exist_ok=True)
    with alone(folder):
        _begin(folder, _asked(trained, clips, wish), _mixed_in(folders))
        if not (folder / CLEAN).is_file():
            own = trained.scores(table).tolist()
            write_scores(folder / CLEAN, table, dict(zip(table.files.tolist(), own, strict=True)))
        for distortion in tqdm(grid, desc=str(trained.name), unit="distortion", disable=None):
            path = folder / distortion.file
            if not path.is_file():
                steps = _steps(distortion, clips, voices, wish.seed)
                write_scores(path, table, test.scores(steps, distortion.effect, folders))
        return sum_up(trained, clips, wish.seed)


def _steps(distortion: Distortion, clips: HeldOutClips, voices: OthersVoices, seed: int) -> dict[str, Steps]:
    """Return what is done to each clip; the effect and the clip decide its noise, whatever the strength."""
    named = zip(clips.table.files.tolist(), clips.table.speakers.tolist(), strict=True)
    return {
        file: (distortion.step(clip_seed(f"{distortion.effect}/{file}", seed), voices.into_clips_of(person)),)
        for file, person in named
    }


def _asked(trained: Trained, clips: HeldOutClips, wish: StressWish) -> dict[str, Any]:
    """Return what must be the same for scores to be kept."""
    weights = [trained.folder / file for file in model_class(trained.recipe.model).files]
    return {
        "corpus_digest": clips.origin.get("corpus_digest"),
        "split_digest": clips.origin.get("split_digest"),
        "weights": {path.name: file_digest(path) for path in weights if path.is_file()},
        "seed": wish.seed,
    }


def _mixed_in(sources: Sources) -> dict[str, str]:
    """Return what must be the same for scores to be kept of effects that mix in recordings: kind -> its digest."""
    folders: dict[Kind, Path | None] = {"noises": sources.noises, "rooms": sources.rooms}
    digests = {"people": BABBLE}
    for kind, folder in folders.items():
        if folder:
            digests[kind] = text_digest(
                "\n".join(f"{name} {fingerprint(folder / name)}" for name in sources.names(kind))
            )
    return digests


def _begin(folder: Path, asked: dict[str, Any], mixed_in: dict[str, str]) -> None:
    """Remove what a kill left behind, and scores that belong to other clips, weights, recordings or another seed."""
    for left in folder.glob(f"{PART}*"):
        shutil.rmtree(left, ignore_errors=True)
    before = read_json(folder / ASKED) if (folder / ASKED).is_file() else {}
    if any(before.get(name) != value for name, value in asked.items()):
        outdated, before = list(folder.glob("*.csv")), {}
    else:
        changed = {kind for kind, digest in mixed_in.items() if before.get(kind) != digest}
        outdated = [folder / each.file for each in whole_grid() if find_effect(each.effect).draws in changed]
    if outdated := [path for path in outdated if path.is_file()]:
        (folder.parent / STRESS_RESULTS).unlink(missing_ok=True)
    for path in outdated:
        path.unlink()
    write_json(folder / ASKED, {**before, **asked, **mixed_in})
