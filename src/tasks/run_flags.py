"""How tasks are told which run is meant: `--run=svm_study0/run3`, or the flags of the first edition."""

from src.experiments.runs.names import RunName, StudyName

RUN_HELP = "the run, such as run0 or svm_study0/run3; svm_study0 alone stands for the study's best trial"
OLD_FLAGS = {
    "run_number": "number of the run, in place of --run=; in a study, left out: its best",
    "study_number": "number of the study, in place of --run=; -1 = none (default)",
}


def named_run(run: str, run_number: int, study_number: int, classifier: str) -> RunName:
    """Return the run that the flags name.

    Raises
    ------
    ValueError
        When they name none, name it twice, or name a study without its classifier.
    """
    if run and (run_number >= 0 or study_number >= 0):
        raise ValueError("Give `run` alone, or `run_number` and `study_number`, not both.")
    if run:
        return RunName.parse(run)
    if study_number >= 0 and not classifier:
        raise ValueError(
            "Whose study? Give `classifier` beside `study_number`, or name the run by `run=svm_study0/run3`."
        )
    if run_number < 0 and study_number < 0:
        raise ValueError("Which run? Name it by `run=run0`, or `run=svm_study0` for the best trial of a study.")
    study = StudyName(classifier, study_number) if study_number >= 0 else None
    return RunName(study, run_number if run_number >= 0 else None)
