"""A run under distortions: its test clips, distorted in many ways and strengths, and the EER of each.

`stress_grid.py` lists the distortions. Nothing is fitted here: scores are calibrated, and decisions made, as the run's
validation data had it. Every clip has the same noise at all strengths, and every EER is resampled with the same people,
so that what differs between two points of a curve is the strength alone.

The scores of each distortion are kept in `<run>/stress/`, so that a stress test that was killed, or asked for more
distortions, computes only what is missing; `stress_results.json`, written last, is made of all of them.
"""

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from src.audio.augment.contract import find_effect
from src.audio.augment.sources import Sources
from src.experiments.evaluation.distorted import PART, DistortedTest
from src.experiments.evaluation.held_out import USUAL, HeldOutClips, read_held_out
from src.experiments.evaluation.stress_grid import distort, grid_of
from src.experiments.evaluation.stress_results import CLEAN, StressResult, sum_up, write_scores
from src.experiments.runs.artefacts import STRESS, STRESS_RESULTS
from src.experiments.runs.folders import alone
from src.experiments.runs.names import RunName
from src.experiments.training.models import model_class
from src.experiments.training.trained import Trained, read_trained
from src.utils.files import file_digest, read_json, write_json
from src.utils.labels import BONAFIDE

MOST_VOICES = 500
"""About how many clips babble is made of."""
ASKED = "asked.json"
"""What the scores in the folder belong to: clips, weights and seed."""


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
    sources = _sources(clips, wish)
    grid = grid_of(wish.effects, sources)
    test = DistortedTest(trained, USUAL, clips, wish.seed, wish.model)
    folder = trained.folder / STRESS
    folder.mkdir(exist_ok=True)
    with alone(folder):
        _begin(folder, _asked(trained, clips, wish))
        if not (folder / CLEAN).is_file():
            own = trained.scores(clips.table).tolist()
            write_scores(folder / CLEAN, clips.table, dict(zip(clips.table.files.tolist(), own, strict=True)))
        for distortion in tqdm(grid, desc=str(trained.name), unit="distortion", disable=None):
            path = folder / distortion.file
            if not path.is_file():
                scores = test.scores(partial(distort, distortion=distortion, sources=sources), distortion.effect)
                write_scores(path, clips.table, scores)
        return sum_up(trained, clips, wish.seed)


def _sources(clips: HeldOutClips, wish: StressWish) -> Sources:
    """Return what distortions may mix in: babble is of the test's own bona fide clips."""
    genuine = clips.table.files[clips.table.labels == BONAFIDE].tolist()
    people = [genuine[place] for place in range(0, len(genuine), max(1, len(genuine) // MOST_VOICES))]
    return Sources(clips.dataset, tuple(people), wish.noises, wish.rooms)


def _asked(trained: Trained, clips: HeldOutClips, wish: StressWish) -> dict[str, Any]:
    """Return what must be the same for scores to be kept."""
    weights = [trained.folder / file for file in model_class(trained.recipe.model).files]
    return {
        "corpus_digest": clips.origin.get("corpus_digest"),
        "split_digest": clips.origin.get("split_digest"),
        "weights": {path.name: file_digest(path) for path in weights if path.is_file()},
        "seed": wish.seed,
        "noises": str(wish.noises or ""),
        "rooms": str(wish.rooms or ""),
    }


def _begin(folder: Path, asked: dict[str, Any]) -> None:
    """Remove what a kill left behind, and scores that belong to other clips, weights or another seed."""
    for left in folder.glob(f"{PART}*"):
        shutil.rmtree(left, ignore_errors=True)
    if not (folder / ASKED).is_file() or read_json(folder / ASKED) != asked:
        for path in folder.glob("*.csv"):
            path.unlink()
        (folder.parent / STRESS_RESULTS).unlink(missing_ok=True)
        write_json(folder / ASKED, asked)
