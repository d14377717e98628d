"""Several corpora become one, whose recordings are not copied: its folder holds hard links to them.

    <output>/<corpus>/<file>        the recording that <corpus> lists as <file>
    <output>/files-metadata.csv     all rows of all tables, and a column `corpus`
    <output>/SOURCES.csv            where a corpus notes which clip each spoof was copied from

A hard link is a second name of the same bytes. It takes no space, lies within the new folder as `file` must, and stays
whole when the original corpus is moved, renamed or deleted; a symbolic link would not. Where hard links are impossible
(another disk, recordings of another user) a recording is copied as it is, and the copies are counted. The original
corpora are only read.

People are kept apart by corpus: `Maria_F003` of the corpus `lab` becomes `lab-Maria_F003`. Systems keep their names, so
one that two corpora name alike counts as one. Splits are not taken over, because the people are to be dealt anew.

A merge that was killed resumes: existing links are kept unless a recording changed since, and the tables are
written last.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from src.audio.storage.links import SOURCE
from src.audio.storage.places import exists
from src.corpora.sources import SOURCES_TABLE, read_originals
from src.experiments.corpus.derivation import RECIPE
from src.experiments.corpus.linking import link_recordings
from src.experiments.corpus.notes import duplicate_notes
from src.experiments.corpus.relatives import refuse_relatives
from src.utils.classes import read_classes, write_classes
from src.utils.copies import COPY_OF
from src.utils.csv_tables import write_table
from src.utils.dataset import FILES_TABLE, NUMBER_COLUMNS, edit_tables, read_files
from src.utils.files import read_json, remove_leftovers, text_digest, write_json
from src.utils.labels import LABEL_NAMES, SPOOF
from src.utils.people import person_of

CORPUS = "corpus"
"""Column of a files table: which of the merged corpora a clip is from."""
N_SHOWN = 5


@dataclass(frozen=True)
class Merged:
    """The result of `merge_datasets`."""

    folder: Path
    n_clips: int
    n_people: int
    corpora: tuple[str, ...]
    n_copied: int
    """Recordings that could not be linked and were copied, in this run."""
    notes: tuple[str, ...] = ()
    """What a user should know of the new corpus, one sentence each."""

    def __str__(self) -> str:
        return f"{self.n_clips} clips of {self.n_people} people from {', '.join(self.corpora)} in {self.folder}"


def merge_datasets(datasets: Sequence[Path], output: Path | None = None) -> Merged:
    """Make one corpus of several, whose tables were made.

    Parameters
    ----------
    datasets : sequence of Path
        Two corpora or more, whose folders have different names.
    output : Path
        A new folder, outside the corpora; default: beside the first, `<first>+<second>`.

    Raises
    ------
    FileNotFoundError
        When a corpus, its table or one of its recordings is missing.
    ValueError
        When corpora cannot be merged, or the output holds something else.
    """
    if len(datasets) < 2:
        raise ValueError("`datasets` must name two corpora or more, separated by commas.")
    output = output or datasets[0].with_name("+".join(dataset.name for dataset in datasets))
    _check_folders(datasets, output)
    tables = {dataset: _renamed(dataset, read_files(dataset)) for dataset in datasets}
    _check_recordings(tables)
    _check_classes(datasets)
    _check_clashes(tables)
    refuse_relatives(tables)
    files, notes = _joined(tables)
    _start(output, tables, files)
    linked = [link_recordings(dataset, output, table["file"].tolist()) for dataset, table in tables.items()]
    n_copied, n_replaced = map(sum, zip(*linked, strict=True))
    notes += duplicate_notes(output, files)
    if n_replaced:
        notes.append(
            f"{n_replaced} {'recording' if n_replaced == 1 else 'recordings'} changed since and "
            f"{'was' if n_replaced == 1 else 'were'} taken anew; what was measured is of the old: measure again."
        )
    if n_copied:
        notes.append(
            f"{n_copied} {'recording' if n_copied == 1 else 'recordings'} could not be linked (another disk, or "
            "another owner) and were copied as they are."
        )
    if not (output / FILES_TABLE).is_file():
        _write_sources(datasets, output, files)
        with edit_tables(output) as editor:
            write_classes(output, read_classes(datasets[0]))
            editor.write(files)
    people = person_of(files).nunique()
    return Merged(output, len(files), people, tuple(files[CORPUS].unique()), n_copied, tuple(notes))


def _check_folders(datasets: Sequence[Path], output: Path) -> None:
    named = Counter(dataset.name for dataset in datasets)
    name, count = named.most_common(1)[0]
    if count > 1:
        raise ValueError(
            f"`datasets` names {count} folders called {name}, and each corpus needs a name of its own: rename one."
        )
    for dataset in datasets:
        if output.resolve() == dataset.resolve() or dataset.resolve() in output.resolve().parents:
            raise ValueError(f"`output` must lie outside {dataset}, which is only read.")


def _renamed(dataset: Path, files: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a corpus as they stand in the merged one; a corpus that was merged itself keeps its parts."""
    parts = files[CORPUS] if CORPUS in files else pd.Series("", index=files.index)
    if COPY_OF in files:
        files = files.assign(**{COPY_OF: [file and f"{dataset.name}/{file}" for file in files[COPY_OF]]})
    return files.assign(
        file=[f"{dataset.name}/{file}" for file in files["file"]],
        speaker=[f"{dataset.name}-{person}" for person in person_of(files)],
        **{CORPUS: parts.where(parts != "", dataset.name)},
    )


def _check_recordings(tables: dict[Path, pd.DataFrame]) -> None:
    for dataset, table in tables.items():
        if (dataset / SOURCE).is_file():
            raise ValueError(
                f"The recordings of {dataset} lie in storage over a network, and hard links cannot lead there: "
                "merge corpora that lie on this disk."
            )
        missing = [file for file in table["file"] if not exists(dataset.parent / file)]
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} recordings that {dataset / FILES_TABLE} lists are missing (first: "
                f"{missing[0].removeprefix(f'{dataset.name}/')}): put them back, or make its tables again."
            )


def _check_classes(datasets: Sequence[Path]) -> None:
    """Refuse corpora whose two labels do not mean the same."""
    first = read_classes(datasets[0])
    for dataset in datasets[1:]:
        if (other := read_classes(dataset)) != first:
            raise ValueError(
                f"The classes of {datasets[0].name} are {_in_words(first)}, those of {dataset.name} are "
                f"{_in_words(other)}: such corpora cannot be merged."
            )


def _in_words(classes: dict[int, str]) -> str:
    return " and ".join((classes or LABEL_NAMES).values())


def _check_clashes(tables: dict[Path, pd.DataFrame]) -> None:
    """Refuse two corpora that hold the same part, as two merged ones may, or people who get the same name."""
    for column, what in ((CORPUS, "the corpus"), ("speaker", "a person who would be called")):
        owner: dict[str, Path] = {}
        for dataset, table in tables.items():
            for value in table[column].unique():
                other = owner.setdefault(value, dataset)
                if other != dataset:
                    raise ValueError(
                        f"Both {other.name} and {dataset.name} hold {what} {value}: leave one out or rename it."
                    )


def _joined(tables: dict[Path, pd.DataFrame]) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of all corpora; what was measured is kept if all of them have it. And notes for the user."""
    files = pd.concat(tables.values(), ignore_index=True)
    partly = [
        column for column in NUMBER_COLUMNS if column in files and not all(column in table for table in tables.values())
    ]
    files = files.drop(columns=partly)
    text = files.columns.difference(list(NUMBER_COLUMNS))
    files[text] = files[text].fillna("")
    notes = []
    if partly:
        notes.append(f"Not every corpus has {' and '.join(partly)}, so the new one has not: measure all clips again.")
    spoofs = files[(files["label"] == LABEL_NAMES[SPOOF]) & (files["system"] != "")]
    where = spoofs.groupby("system")[CORPUS].nunique()
    if shared := where.index[where > 1].tolist():
        more = ", ..." if len(shared) > N_SHOWN else ""
        notes.append(
            "Systems that several corpora name alike count as one: "
            f"{len(shared)} ({', '.join(shared[:N_SHOWN])}{more})."
        )
    return files, notes


def _start(output: Path, tables: dict[Path, pd.DataFrame], files: pd.DataFrame) -> None:
    """Record what is merged in the output folder; refuse a folder that holds anything else."""
    fixed = files.drop(columns=[column for column in NUMBER_COLUMNS if column in files])
    recipe = {
        "step": "MergeDatasets",
        "sources": [dataset.name for dataset in tables],
        "rows": text_digest(fixed.to_csv(index=False)),
    }
    path = output / RECIPE
    if path.is_file():
        if read_json(path) != recipe:
            raise ValueError(
                f"{output} was made from other corpora, or their tables changed since (see its {RECIPE}); choose "
                "another `output` or delete it."
            )
        remove_leftovers(output)
    elif output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ValueError(f"{output} is not empty and was not made by this step; choose another `output`.")
    else:
        write_json(path, recipe)


def _write_sources(datasets: Sequence[Path], output: Path, files: pd.DataFrame) -> None:
    """Write which clip each spoof was copied from, where a corpus says so: training with pairs reads it."""
    originals = {
        f"{dataset.name}/{spoof}": f"{dataset.name}/{original}"
        for dataset in datasets
        for spoof, original in read_originals(dataset).items()
        if original
    }
    rows = files[files["file"].isin(originals.keys())]
    if len(rows):
        table = rows[["file", "system"]].assign(original=rows["file"].map(originals))
        write_table(output / SOURCES_TABLE, table)
