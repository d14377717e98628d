"""The task that says what a run decides by."""

from dataclasses import dataclass

from fabric import Connection

from src.tasks.command_line import command
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.utils.paths import ROOT


@dataclass(frozen=True)
class ExplanationFlags(RunFlags):
    """The flags of ExplainRun."""

    repetitions: int = 5
    seed: int = 7


@command(
    "ExplainRun",
    classifier="classifier of the study, beside --study-number=",
    repetitions="how often each part of a classifier's input is dealt anew to the clips (default 5)",
    **RUN_HELP,
)
def explain_run(c: Connection, flags: ExplanationFlags) -> None:
    """Say which parts of its input a run needs on its test, and which cheap cues and features tell groups apart."""
    from src.experiments.evaluation import explanation

    found = explanation.explain_run(flags.name(), root=ROOT, repetitions=flags.repetitions, seed=flags.seed)
    print(f"{found}\nWritten to {found.folder}. Next: fab ReportRuns")
