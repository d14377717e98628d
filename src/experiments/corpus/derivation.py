"""Derive a corpus from another one: which recording becomes which clip, what is recorded, what is left out.

A step that was killed resumes where it stopped. Existing clips are kept; `recipe.json` records from which recordings
and with which settings they were made, and other settings for the same folder, recordings that changed since, or
copies that are drawn otherwise, as after another split, are refused. Recordings that cannot be used are left out and
listed there too: once they are repaired or removed, the same command makes the missing clips.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from src.audio.augment.steps import Step
from src.audio.io import UnusableAudio, check_usable, load_stretch, load_waveform, save_waveform
from src.audio.storage.places import exists
from src.experiments.corpus.catalogue import NO_FILE
from src.utils.csv_tables import printable
from src.utils.dataset import REJECTED_TABLE
from src.utils.files import atomic_path, fingerprint, read_json, remove_leftovers, text_digest, write_json
from src.utils.parallel import map_clips

Transform = Callable[..., np.ndarray]
"""The waveform (n,) at 16 kHz of every recording of a job, and the clip's own seed -> a waveform."""
RECIPE, LEFT_OUT = "recipe.json", "left_out"


@dataclass(frozen=True)
class Derived:
    """A corpus that was derived from another one."""

    folder: Path
    n_clips: int
    n_rejected: int

    def __str__(self) -> str:
        left_out = f"; {self.n_rejected} left out, see {REJECTED_TABLE}" if self.n_rejected else ""
        return f"{self.n_clips} clips in {self.folder}{left_out}"


@dataclass(frozen=True)
class Job:
    """One recording to read and transform, or several to combine, and the clip to write."""

    source: Path
    target: Path
    seed: int
    others: tuple[Path, ...] = ()
    """Further recordings that the clip is made of."""
    stretch: tuple[int, int] | None = None
    """Samples at 16 kHz that are read of `source`, from and to; None = all of it."""
    steps: tuple[Step, ...] | None = None
    """What is done to an augmented copy; None for any other clip, whose transform is not told of steps."""

    @property
    def sources(self) -> tuple[Path, ...]:
        """All recordings that the clip is made of."""
        return (self.source, *self.others)


@dataclass(frozen=True)
class Derivation:
    """Which clips to make from which recordings, in which folder."""

    dataset: Path
    """The original corpus, which is only read."""
    output: Path
    recipe: dict[str, Any]
    """Name of the step and its settings."""
    jobs: Sequence[Job]
    """All clips to make; several jobs may read one recording."""

    def start(self) -> None:
        """Record the recipe in the output folder; refuse to touch the original corpus or to mix two recipes."""
        if self.output.resolve() == self.dataset.resolve() or self.dataset.resolve() in self.output.resolve().parents:
            raise ValueError(f"`output` must lie outside {self.dataset}, which is only read.")
        self._check_targets()
        left_out = left_out_before(self.output)
        if (self.output / RECIPE).is_file():
            self._check_recipe(left_out)
            remove_leftovers(self.output)
            for job in self.jobs:
                if not left_out.isdisjoint(map(self._name, job.sources)):
                    job.target.unlink(missing_ok=True)
            return
        if self.output.exists() and any(self.output.iterdir()):
            raise ValueError(f"{self.output} is not empty and was not made by this step; choose another `output`.")
        missing = {self._name(path) for job in self.jobs for path in job.sources if not exists(path)}
        write_json(self.output / RECIPE, self._note(missing))

    def run(self, jobs: Sequence[Job], transform: Transform, description: str) -> dict[str, str]:
        """Write the missing clips; return those that cannot be made, file in the output -> reason."""
        waiting = [job for job in jobs if not job.target.exists()]
        outcomes = map_clips(partial(_write_clip, transform), waiting, description=description)
        return {self._name_of_clip(job): reason for job, reason in zip(waiting, outcomes, strict=True) if reason}

    def finish(self) -> None:
        """Record which recordings could not be used, once all others have their clips; removed ones stay listed."""
        unusable = {self._name(path) for job in self.jobs if not job.target.exists() for path in job.sources}
        removed = left_out_before(self.output) - {self._name(path) for job in self.jobs for path in job.sources}
        note = self._note(unusable | removed)
        if note != read_json(self.output / RECIPE):
            write_json(self.output / RECIPE, note)

    def _check_targets(self) -> None:
        targets = pd.Series([job.target for job in self.jobs])
        if targets.duplicated().any():
            twin = targets[targets.duplicated()].iloc[0]
            raise ValueError(
                f"Two recordings would both become {twin}: rename one of them, they differ in their suffix only."
            )

    def _check_recipe(self, left_out: set[str]) -> None:
        if read_json(self.output / RECIPE) != self._note(left_out):
            raise ValueError(
                f"{self.output} was made from other clips or with other settings (see its {RECIPE}); "
                "choose another `output` or delete it."
            )

    def _note(self, left_out: set[str]) -> dict[str, Any]:
        """Return the recipe with digests of the recordings and steps that are used, and the names of the others."""
        used = {path: self._name(path) for job in self.jobs for path in job.sources}
        states = sorted(f"{name} {_state(path)}" for path, name in used.items() if name not in left_out)
        note = {**self.recipe, "source": self.dataset.name, "source_files": text_digest("\n".join(states))}
        drawn = [
            f"{self._name_of_clip(job)} {[step.as_json() for step in job.steps]}"
            for job in self.jobs
            if job.steps is not None and self._name(job.source) not in left_out
        ]
        note |= {"drawn": text_digest("\n".join(sorted(drawn)))} if drawn else {}
        return {**note, LEFT_OUT: sorted(left_out)} if left_out else note

    def _name(self, source: Path) -> str:
        return printable(source.relative_to(self.dataset).as_posix())

    def _name_of_clip(self, job: Job) -> str:
        return printable(job.target.relative_to(self.output).as_posix())


def left_out_before(output: Path) -> set[str]:
    """Return the recordings, relative to the original corpus, that an earlier run of the same step had to leave out."""
    note = read_json(output / RECIPE) if (output / RECIPE).is_file() else {}
    return set(note.get(LEFT_OUT, ()))


def _write_clip(transform: Transform, job: Job) -> str:
    """Write one clip; return why its recordings cannot be used, or ""."""
    if not all(map(exists, job.sources)):
        return NO_FILE
    try:
        told = {} if job.steps is None else {"steps": job.steps}
        clip = transform(_load(job), *map(load_waveform, job.others), job.seed, **told)
    except UnusableAudio as error:
        return str(error)
    with atomic_path(job.target) as temporary:
        save_waveform(temporary, clip)
    return ""


def _load(job: Job) -> np.ndarray:
    if job.stretch is None:
        return load_waveform(job.source)
    waveform = load_stretch(job.source, *job.stretch)
    check_usable(waveform)
    return waveform


def _state(recording: Path) -> str:
    return fingerprint(recording) if exists(recording) else "missing"
