"""Tasks that check a corpus and that make one corpus of several."""

from dataclasses import dataclass
from pathlib import Path

from fabric import Connection
from invoke.exceptions import Exit

from src.tasks.command_line import command
from src.tasks.layout_flags import LAYOUT_HELP, LayoutFlags
from src.tasks.words import folders, on

FINDINGS = 3
"""Exit code of a check that found something; 1 and 2 are those of errors (`errors.py`)."""


@dataclass(frozen=True)
class CheckFlags(LayoutFlags):
    """The flags of CheckDataset."""

    layout: str = ""
    jobs: int = 0
    quick: bool = False


@command(
    "CheckDataset",
    layout="as for GenerateDatasetCSV (default: check the tables that were made)",
    quick="names and counts alone; no recording is read",
    **LAYOUT_HELP,
)
def check_dataset(c: Connection, flags: CheckFlags) -> None:
    """Say what is missing, doubled, unlabelled or unreadable, and compare with the published counts; changes nothing.

    Exit code 0: nothing is wrong; 3: there are findings; 2: the corpus cannot be read at all.
    """
    from src.experiments.corpus.checking import check_corpus

    check = check_corpus(flags.dataset, flags.layout, flags.options, jobs=flags.jobs, listen=not flags.quick)
    print(check)
    if not check.is_clean:
        raise Exit(code=FINDINGS)


@command(
    "MergeDatasets",
    datasets="folders of the corpora, separated by commas; their tables must have been made",
    output="folder of the new corpus (default: beside the first, named after all of them: a+b)",
)
def merge_datasets(c: Connection, datasets: str = "", output: Path | None = None) -> None:
    """Make one corpus of several by hard links: no recording is copied, people are kept apart by corpus."""
    from src.experiments.corpus import merging

    made = merging.merge_datasets(folders(datasets), output)
    for note in made.notes:
        print(f"Note: {note}")
    print(
        f"{made}. Next: fab CheckDataset{on(made.folder)}, for recordings that two of them hold; then fab SplitDataset"
    )
