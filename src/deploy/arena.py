"""A folder for the public speech anti-spoofing arena: a wrapper class, the run that it scores with, pinned scores.

    README.md               how to run it, and what each score file is of
    arena_detector.py       the class `Detector`: 16 kHz mono float32 in, higher = bona fide
    runs/<run>/             weights, hyperparameters, calibration, threshold; of a fusion, those of its runs as well
    scores/<corpus>-*.txt   a line `trial score` for each trial of a corpus, by one protocol
    manifest.json           the run, every file with its SHA-256, and what every score file is of

The exact form that the arena asks for is not known here. What is assumed: it hands waveforms of the form above to a
class, one after another, it scores the first 64,600 samples of all trials, and it compares score files by digest.

A folder is made whole or not at all. Provenance is copied without the people's names (a number stands for each),
without the command and without where the corpus lay.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.deploy import arena_detector
from src.deploy.arena_detector import ARENA_SAMPLES, MANIFEST, Detector
from src.deploy.arena_scores import score_as_the_arena, scored_before, write_scores
from src.deploy.card_model import describe_model, needs_of
from src.deploy.markdown import render
from src.experiments.corpus.splits import ALL, read_split
from src.experiments.report.files import exists, read_object
from src.experiments.runs.artefacts import CALIBRATION, HYPERPARAMETERS, METRICS, PROVENANCE
from src.experiments.runs.names import RunName
from src.experiments.runs.provenance import code_version, now
from src.experiments.training.models import model_class
from src.experiments.training.trained import Trained, read_trained
from src.utils.files import file_digest, write_json, write_text

FORM = "audios-arena-1"
"""What the manifest says that such a folder is; only such a folder is replaced."""
PLACE = "arena"
"""Where it lies in a run's folder, when nothing else is asked for."""


@dataclass(frozen=True)
class ArenaFolder:
    """A folder that was made."""

    folder: Path
    scores: tuple[Mapping[str, Any], ...]
    """The manifest's entries of its score files."""

    def __str__(self) -> str:
        told = [
            f"{entry['file']}: {entry['trials']} trials of {entry['corpus']}, {entry['protocol']}"
            for entry in self.scores
        ]
        if not any(entry["arena_protocol"] for entry in self.scores):
            told.append(
                "No score file is by the arena's protocol; fab ExportArena --datasets=... scores corpora by it."
            )
        return "\n".join([*told, f"Written to {self.folder}; its README.md says how to run it."])


def export_arena(
    name: RunName, output: Path | None = None, datasets: Sequence[Path] = (), model: str | None = None, *, root: Path
) -> ArenaFolder:
    """Make the folder of a run.

    Parameters
    ----------
    name : RunName
        A study alone stands for its best trial.
    output : Path, optional
        The folder to make, or one of an earlier export to replace; `arena` in the run's folder when not given.
    datasets : sequence of Path
        Corpora, with tables, whose trials are scored by the arena's protocol.
    model : str, optional
        Folder of the backbone's model, where the run's was a local one.
    root : Path
        Holds `runs/`.

    Raises
    ------
    FileNotFoundError
        When there is no such run, its weights were dropped, or a corpus is not there.
    ValueError
        When the output is a folder of something else.
    """
    trained = read_trained(root, name)
    folder = output or trained.folder / PLACE
    _require_replaceable(folder)
    for dataset in datasets:
        read_split(dataset, ALL)  # refuses what is not there before any work
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        made = Path(temporary) / "made"
        runs = list(_with_parts(trained, root))
        for run in runs:
            _copy_run(run, made)
        shutil.copyfile(arena_detector.__file__, made / "arena_detector.py")
        write_json(made / MANIFEST, {"run": str(trained.name)})
        detector = Detector(made, model=model)  # what cannot be opened is not handed out
        found = [*scored_before(trained), *(score_as_the_arena(detector, dataset, now()) for dataset in datasets)]
        entries = [write_scores(made, one) for one in found]
        _finish(made, trained, runs, entries)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    return ArenaFolder(folder, tuple(entries))


def _require_replaceable(folder: Path) -> None:
    """Raise ValueError when a path is a file, or a folder that this did not make."""
    if folder.is_dir() and any(folder.iterdir()) and read_object(folder / MANIFEST, []).get("form") != FORM:
        raise ValueError(f"`output`: {folder} is not empty and was not made by ExportArena; name another folder.")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`output` must be a folder, and {folder} is a file; name another.")


def _with_parts(trained: Trained, root: Path) -> Iterator[Trained]:
    """Yield a run and, of a fusion, the runs that it is made of."""
    yield trained
    if trained.recipe.input.kind == "scores":
        for part in trained.inputs["runs"]:
            yield from _with_parts(read_trained(root, RunName.parse(part)), root)


def _copy_run(trained: Trained, place: Path) -> None:
    """Copy what a run is scored with into `<place>/runs/<run>`."""
    if not trained.has_weights:
        _ = trained.model  # says how they are made again
    target = trained.name.folder(place)
    target.mkdir(parents=True, exist_ok=True)
    for name in (HYPERPARAMETERS, METRICS, CALIBRATION, *model_class(trained.recipe.model).files):
        if exists(trained.folder / name):
            shutil.copyfile(trained.folder / name, target / name)
    write_json(target / PROVENANCE, _without_people(trained.provenance))


def _without_people(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance without names of people, the command, and where the corpus lay.

    >>> data = {"corpus": {"path": "/a", "digest": "d"}, "people": {"train": ["Ana"]}}
    >>> _without_people({"command": "fab", "data": data})
    {'data': {'corpus': {'digest': 'd'}, 'people': {'train': ['person 1']}}}
    """
    data = dict(provenance["data"])
    if isinstance(people := data.get("people"), Mapping):
        data["people"] = {split: [f"person {n + 1}" for n in range(len(names))] for split, names in people.items()}
    if isinstance(corpus := data.get("corpus"), Mapping):
        data["corpus"] = {key: value for key, value in corpus.items() if key != "path"}
    return {key: value for key, value in provenance.items() if key != "command"} | {"data": data}


def _finish(made: Path, trained: Trained, runs: Sequence[Trained], entries: Sequence[Mapping[str, Any]]) -> None:
    """Write the README, and the manifest with the digests of everything else."""
    about = {
        "run": str(trained.name),
        "kind": describe_model(trained, runs[1:]).kind,
        "needs": sorted({need for run in runs for need in needs_of(run)}),
        "entries": entries,
        "arena_samples": ARENA_SAMPLES,
        "code": code_version(),
    }
    write_text(made / "README.md", render("arena_readme.md", **about))
    files = sorted(path for path in made.rglob("*") if path.is_file() and path.name != MANIFEST)
    manifest = {
        "form": FORM,
        "run": str(trained.name),
        "model": about["kind"],
        "code": code_version(),
        "sample_rate": Detector.sample_rate,
        "higher_is": "bona fide",
        "threshold": trained.threshold,
        "made": now(),
        "scores": list(entries),
        "files": {path.relative_to(made).as_posix(): file_digest(path) for path in files},
    }
    write_json(made / MANIFEST, manifest)
