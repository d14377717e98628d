"""MLAAD: text-to-speech of many systems in many languages; the genuine side is M-AILABS, a corpus of its own.

    <corpus>/fake/<language>/<model>/*.wav
    <corpus>/fake/<language>/<model>/meta.csv       path|original_file|language|...|model_name|architecture|transcript
    <corpus>/en_UK/by_book/female/<speaker>/<book>/wavs/*.wav      M-AILABS, optional; also below <corpus>/real/

Fields are separated by bars, and quotation marks are part of the transcripts. The system of a spoof is its model; its
person is its model in its language, for nobody says whose voices the models have. A model of several languages is thus
several people, who may stand in several splits: that is told. Readers of M-AILABS have names and genders; those of
books by several (`mix`) are one person a book, of unknown gender. Columns `language` and `architecture` are kept. There
is no official split; the corpus grows with each version, so no counts are compared.

Source: Müller et al., "MLAAD: The Multi-Language Audio Anti-Spoofing Dataset", IJCNN 2024; deepfake-total.com. Licence:
CC BY-NC 4.0. M-AILABS: caito.de, a licence of its own, free for any use.
"""

from pathlib import Path

import pandas as pd

from src.corpora import Finding, Listing
from src.corpora.passed_over import is_hidden, is_system_folder, note_on
from src.corpora.protocols import Form, read_protocol
from src.corpora.recordings import as_files, as_people, find_recordings, join_recordings, with_people
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF

TABLE, SPOOFS = "meta.csv", "fake"
FORM = Form(("path", "language", "model_name", "architecture"), id="path", separator="|", header=True)
GENDERS = {"female": "F", "male": "M"}
KEPT = ["language", "architecture"]
SHARED = (
    "Models that are several people, one in each language, whom SplitDataset may put into several splits (to judge by "
    "models that were not heard, run fab CrossValidate --by=system)"
)


def read_layout(dataset: Path) -> Listing:
    """List the clips of MLAAD, and of M-AILABS where it lies beside it, sorted by file.

    Raises
    ------
    FileNotFoundError
        When the folder does not hold the corpus.
    ValueError
        When a table is wrong, or no row has a recording.
    """
    models = sorted(path for path in (dataset / SPOOFS).glob("*/*") if path.is_dir() and not is_hidden(path))
    if not any((model / TABLE).is_file() for model in models):
        raise FileNotFoundError(
            f"{dataset} does not hold MLAAD as published, such as {SPOOFS}/<language>/<model>/{TABLE} and recordings "
            "beside it: give the folder that holds them."
        )
    found = [_read_model(dataset, model) for model in models if not is_system_folder(model)]
    spoofs = pd.concat([rows for rows, _, _ in found], ignore_index=True)
    if spoofs.empty:
        n_rows = sum(count for _, _, count in found)
        raise ValueError(
            f"None of the {n_rows} rows of the tables of {dataset / SPOOFS} has a recording in its folder."
        )
    people = spoofs.groupby("system")["person"].nunique()
    shared = note_on(SHARED, people.index[people > 1].tolist())
    real, notes = _read_genuine(dataset)
    rows = pd.concat([spoofs, real], ignore_index=True)
    rows = with_people(rows, as_people(rows["person"], rows["gender"])).drop(columns="person")
    of_models = [note for _, notes, _ in found for note in notes]
    return Listing(as_files(rows), (*of_models, *shared, *notes), has_protocol=True)


def _read_model(dataset: Path, model: Path) -> tuple[pd.DataFrame, list[str], int]:
    """Return the clips of one model in one language, notes, and how many rows its table has."""
    place = model.relative_to(dataset).as_posix()
    columns = ["file", "label", "system", "person", "gender", *KEPT]
    recordings = find_recordings(dataset, [place])
    if not (model / TABLE).is_file():
        note = Finding(f"{place}/ has no {TABLE}, so its {len(recordings.files)} recordings are passed over.")
        return pd.DataFrame(columns=columns), [note], 0
    written = read_protocol(model / TABLE, FORM)
    names = written["path"].str.replace("\\", "/", regex=False).str.rpartition("/")[2]
    rows, notes = join_recordings(written.assign(name=names), recordings, column="name", what=f"{place}/{TABLE}")
    person = f"{model.name}-{model.parent.name}"
    rows = rows.assign(label=LABEL_NAMES[SPOOF], system=rows["model_name"], person=person, gender="U")
    return rows[columns], [*recordings.notes, *notes], len(written)


def _read_genuine(dataset: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the clips of M-AILABS, wherever `<locale>/by_book` lies, and notes."""
    places = sorted(path for pattern in ("*/by_book", "real/*/by_book") for path in dataset.glob(pattern))
    recordings = find_recordings(dataset, [path.relative_to(dataset).as_posix() for path in places], deep=True)
    rows = [(file, *_reader(file)) for file in recordings.files["file"]]
    real = pd.DataFrame(rows, columns=["file", "person", "gender", "language"])
    notes = list(recordings.notes)
    if real.empty:
        notes.append(
            "There is no genuine speech: put M-AILABS beside fake/ (en_UK/by_book/...), or test a run on spoofs alone."
        )
    return real.assign(label=LABEL_NAMES[BONAFIDE], system="", architecture=""), notes


def _reader(file: str) -> tuple[str, str, str]:
    """Return person, gender and language of a recording of M-AILABS.

    >>> _reader("en_UK/by_book/female/elizabeth_klett/jane_eyre/wavs/jane_eyre_01_f000001.wav")
    ('elizabeth_klett', 'F', 'en')
    >>> _reader("de_DE/by_book/mix/grimms_maerchen/wavs/a.wav")
    ('de_DE-grimms_maerchen', 'U', 'de')
    """
    parts = file.split("/")
    place = parts.index("by_book")
    locale, kind, name = parts[place - 1], parts[place + 1], parts[place + 2]
    gender = GENDERS.get(kind, "U")
    return name if kind in GENDERS else f"{locale}-{name}", gender, locale.partition("_")[0]
