"""The command that goes on from a run: every page that lacks something says how to get it."""

from shlex import quote

from src.visualize.pages.records import Run
from src.visualize.pages.words import plain, readable


def next_command(run: Run) -> str:
    """Return the command that tests a run, or that makes it anew where it did not finish.

    >>> inputs = {"corpus": "mini", "backbone": "lfcc", "classifier": "svm"}
    >>> next_command(Run("svm_study0/run3", "", "finished", "svm_study0", 3, hyperparameters=inputs))
    'fab TestModel --classifier=svm --study-number=0 --run-number=3 --dataset=datasets/mini'
    >>> next_command(Run("svm_study0/run3", "", "did not finish", "svm_study0", 3, hyperparameters=inputs))
    'fab OptimizeHyperparameters --backbone=lfcc --classifier=svm --study-number=0 --dataset=datasets/mini'
    """
    inputs = {key: readable(plain(run.hyperparameters.get(key, ""))) for key in ("corpus", "backbone", "classifier")}
    classifier, _, study_number = run.study.rpartition("_study")
    flags: list[tuple[str, str | int]] = []
    if run.state == "finished":
        task = "TestModel"
        if run.study:
            flags += [("classifier", classifier), ("study-number", study_number)]
        flags.append(("run-number", run.number))
    else:
        task = "OptimizeHyperparameters" if run.study else "TrainModel"
        flags += [("backbone", inputs["backbone"] or "BACKBONE")]
        flags += [("classifier", classifier or inputs["classifier"] or "CLASSIFIER")]
        if run.study:
            flags.append(("study-number", study_number))
    flags.append(("dataset", f"datasets/{inputs['corpus'] or 'CORPUS'}"))
    return " ".join(["fab", task, *(f"--{flag}={quote(str(value))}" for flag, value in flags)])
