"""What runs, studies and comparisons of layers are called: the only place that knows the grammar of their names.

    runs/run<m>                        a single run
    runs/<classifier>_study<k>         a study
    runs/<classifier>_study<k>/run<m>  trial m of a study
    runs/layers<k>                     a comparison of layers
    runs/cross<k>                      a cross-validation, judged as one run; fold<m> within it is the run of fold m

A name is written as the path below `runs/`. Numbers have no leading zeros: `run007` is not run 7.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from src.utils.paths import runs_folder

RUN, STUDY, LAYERS, CROSS = "run", "_study", "layers", "cross"
_NUMBER = r"(0|[1-9]\d*)"


@dataclass(frozen=True)
class StudyName:
    """The name of a study: what kind of model it searches, and its number."""

    classifier: str
    number: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name such as `svm_study0`.

        >>> StudyName.parse("svm_study0")
        StudyName(classifier='svm', number=0)

        Raises
        ------
        ValueError
            When it is not the name of a study.
        """
        found = re.fullmatch(rf"([^/]+){STUDY}{_NUMBER}", text)
        if found is None:
            raise ValueError(f"'{text}' is not a study; studies have names such as {cls('svm', 0)}.")
        return cls(found[1], int(found[2]))

    def __str__(self) -> str:
        return f"{studies_prefix(self.classifier)}{self.number}"

    def folder(self, root: Path) -> Path:
        """Return the folder of the study, whether it exists or not."""
        return runs_folder(root) / str(self)

    def run(self, number: int | None = None) -> "RunName":
        """Return the name of one of its trials; None stands for the best one."""
        return RunName(self, number)


@dataclass(frozen=True)
class RunName:
    """The name of a run: its study, where it belongs to one, and its number."""

    study: StudyName | None
    number: int | None
    """None = the best trial of the study."""
    is_cross: bool = False
    """Whether it is a cross-validation, which has scores and a verdict, and no weights of its own."""

    def __post_init__(self) -> None:
        if self.study is None and self.number is None:
            raise ValueError(f"Which run? Runs have names such as {RUN}0 or {StudyName('svm', 0)}/{RUN}3.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name such as `run0`, `svm_study0/run3`, or `svm_study0` for the best trial of that study.

        A path into `runs/` is understood as well, as a shell completes it.

        >>> print(RunName.parse("runs/svm_study0/run3/"))
        svm_study0/run3
        >>> RunName.parse("svm_study0").number is None, RunName.parse("cross2").is_cross
        (True, True)

        Raises
        ------
        ValueError
            When it is not the name of a run.
        """
        parts = text.strip().strip("/").removeprefix("./").removeprefix("runs/").split("/")
        study = re.fullmatch(rf"(.+){STUDY}{_NUMBER}", parts[0])
        run = re.fullmatch(RUN + _NUMBER, parts[-1])
        if len(parts) == 1 and (cross := numbered(parts[0], CROSS)) is not None:
            return cls(None, cross, is_cross=True)
        if len(parts) == (study is not None) + (run is not None) and (study or run):
            return cls(StudyName(study[1], int(study[2])) if study else None, int(run[1]) if run else None)
        raise ValueError(
            f"'{text}' is not a run; runs have names such as {RUN}0 or {StudyName('svm', 0)}/{RUN}3, "
            f"and {StudyName('svm', 0)} stands for the best trial of that study."
        )

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Return the name of a run from its folder."""
        study = re.fullmatch(rf"(.+){STUDY}{_NUMBER}", folder.parent.name)
        return cls.parse(f"{folder.parent.name}/{folder.name}" if study else folder.name)

    def __str__(self) -> str:
        own = "" if self.number is None else f"{CROSS if self.is_cross else RUN}{self.number}"
        return "/".join(filter(None, [str(self.study or ""), own]))

    def folder(self, root: Path) -> Path:
        """Return the folder of the run, whether it exists or not; for a study's best trial, that of the study."""
        return runs_folder(root) / str(self)


def studies_prefix(classifier: str) -> str:
    """Return how the names of all studies of a classifier begin; a number follows.

    >>> studies_prefix("svm")
    'svm_study'
    """
    return f"{classifier}{STUDY}"


def numbered(name: str, prefix: str) -> int | None:
    """Return the number n of a name `<prefix><n>`; None for other names.

    >>> numbered("svm_study3", "svm_study"), numbered("svm_study03", "svm_study")
    (3, None)
    """
    match = re.fullmatch(re.escape(prefix) + _NUMBER, name)
    return int(match[1]) if match else None


def existing_numbers(parent: Path, prefix: str) -> list[int]:
    """Return the numbers n of the existing folders `<parent>/<prefix><n>`, ascending."""
    if not parent.is_dir():
        return []
    numbers = (numbered(path.name, prefix) for path in parent.iterdir())
    return sorted(number for number in numbers if number is not None)


def studies_in(root: Path) -> list[StudyName]:
    """Return the names of the studies in `<root>/runs`, by classifier and number."""
    parent = runs_folder(root)
    there = (path.name for path in parent.iterdir()) if parent.is_dir() else iter(())
    matches = (re.fullmatch(rf"(.+){STUDY}{_NUMBER}", name) for name in there)
    return sorted((StudyName(match[1], int(match[2])) for match in matches if match), key=_by_number)


def single_runs_in(root: Path) -> list[RunName]:
    """Return the names of the runs in `<root>/runs` that belong to no study, by number."""
    return [RunName(None, number) for number in existing_numbers(runs_folder(root), RUN)]


def trials_of(study: StudyName, root: Path) -> list[RunName]:
    """Return the names of the run folders of a study, by number."""
    return [study.run(number) for number in existing_numbers(study.folder(root), RUN)]


def crosses_in(root: Path) -> list[RunName]:
    """Return the names of the cross-validations in `<root>/runs`, by number."""
    return [RunName(None, number, is_cross=True) for number in existing_numbers(runs_folder(root), CROSS)]


def all_runs_in(root: Path) -> Iterator[RunName]:
    """Yield the name of every run folder in `<root>/runs`, those of studies and cross-validations included."""
    yield from single_runs_in(root)
    yield from crosses_in(root)
    for study in studies_in(root):
        yield from trials_of(study, root)


def comparisons_in(root: Path) -> list[Path]:
    """Return the folders of the comparisons of layers in `<root>/runs`, by number."""
    parent = runs_folder(root)
    return [parent / f"{LAYERS}{number}" for number in existing_numbers(parent, LAYERS)]


def _by_number(study: StudyName) -> tuple[str, int]:
    return study.classifier, study.number
