"""The flags that name a run: `--run=svm_study0/run3`, or those of the first edition."""

from dataclasses import dataclass

from src.experiments.runs.names import RunName, StudyName

RUN_HELP = {
    "run": "the run, such as run0 or svm_study0/run3; svm_study0 alone stands for the study's best trial",
    "run_number": "number of the run, in place of --run=; -1 = none, or a study's best (default)",
    "study_number": "number of the study, in place of --run=; -1 = none (default)",
}


@dataclass(frozen=True)
class RunFlags:
    """The flags that name a run."""

    run: str = ""
    run_number: int = -1
    study_number: int = -1
    classifier: str = ""

    def name(self) -> RunName:
        """Return the run that the flags name.

        Raises
        ------
        ValueError
            When they name none, name it twice, or name a study without its classifier.
        """
        in_parts = self.run_number >= 0 or self.study_number >= 0
        if self.run and in_parts:
            raise ValueError("Give `run` alone, or `run_number` and `study_number`, not both.")
        if self.run:
            return RunName.parse(self.run)
        if not in_parts:
            raise ValueError("Which run? Name it by `run=run0`, or `run=svm_study0` for the best trial of a study.")
        if self.study_number < 0:
            return RunName(None, self.run_number)
        if not self.classifier:
            raise ValueError(
                "Whose study? Give `classifier` beside `study_number`, or name the run by `run=svm_study0/run3`."
            )
        return RunName(StudyName(self.classifier, self.study_number), self.run_number if self.run_number >= 0 else None)
