"""Tasks that make a run ready to be published."""

from dataclasses import dataclass
from pathlib import Path

from fabric import Connection

from src.tasks.command_line import command
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.utils.paths import ROOT


@dataclass(frozen=True)
class PublishingFlags(RunFlags):
    """The flags of ModelCard."""

    output: Path | None = None


@command(
    "ModelCard",
    classifier="classifier of the study, beside --study-number=",
    output="Markdown file to write (default: README.md in the run's folder)",
    **RUN_HELP,
)
def model_card(c: Connection, flags: PublishingFlags) -> None:
    """Write the card of a run in Hugging Face's form: data, numbers with intervals, limits, hours, how to get started.

    What the files of the run do not say is called unknown.
    """
    from src.deploy import card

    print(f"Written to {card.write_card(flags.name(), flags.output, root=ROOT)}; read it before you publish it.")
