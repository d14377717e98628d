"""Tasks that make a run ready to be published: its card, and a folder for the public arena."""

from dataclasses import dataclass
from pathlib import Path

from fabric import Connection

from src.tasks.command_line import command
from src.tasks.run_flags import RUN_HELP, RunFlags
from src.tasks.words import folders
from src.utils.paths import ROOT


@dataclass(frozen=True)
class CardFlags(RunFlags):
    """The flags of ModelCard."""

    output: Path | None = None


@command(
    "ModelCard",
    classifier="classifier of the study, beside --study-number=",
    output="Markdown file to write (default: README.md in the run's folder)",
    **RUN_HELP,
)
def model_card(c: Connection, flags: CardFlags) -> None:
    """Write the card of a run in Hugging Face's form: data, numbers with intervals, limits, hours, how to get started.

    What the files of the run do not say is called unknown.
    """
    from src.deploy import card

    print(f"Written to {card.write_card(flags.name(), flags.output, root=ROOT)}; read it before you publish it.")


@dataclass(frozen=True)
class ArenaFlags(RunFlags):
    """The flags of ExportArena."""

    output: Path | None = None
    datasets: str = ""
    model: str = ""


@command(
    "ExportArena",
    classifier="classifier of the study, beside --study-number=",
    output="folder to make (default: arena in the run's folder)",
    datasets="corpora, separated by commas, to score by the arena's protocol: all trials, first 64,600 samples",
    model="folder of the backbone's model, where the run's was a local one (default: what the run noted)",
    **RUN_HELP,
)
def export_arena(c: Connection, flags: ArenaFlags) -> None:
    """Make a folder for the public speech anti-spoofing arena: wrapper class, the run's files, pinned score files.

    What the run was tested and benchmarked on is pinned under its own protocol, never under that of
    the arena.
    """
    from src.deploy import arena
    from src.tasks.detectors import found_model

    model = str(found_model({"model": flags.model})["model"]) or None
    print(arena.export_arena(flags.name(), flags.output, folders(flags.datasets), model, root=ROOT))
