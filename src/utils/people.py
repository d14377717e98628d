"""Who speaks: one spelling of a person in every table, `<Name>_<F|M>NNN`, so that tables can be joined on it.

`speaker` of a files table and `person` of a people table both hold `Maria_F003`; the id has a column of its own as
well. Tables of the first edition hold only the name, `Maria`, and are converted when they are read. Two people may
share a name or an id, never both.

The same letters can be written in two Unicode forms (a Mac's zip files store accents as separate characters); names
are compared and written in the composed form, NFC. Paths keep the form that they have on disk.
"""

from unicodedata import normalize

import pandas as pd

from src.utils.labels import LABEL_NAMES, SPOOF

SIDES = ("spoof", "bonafide")
PEOPLE_COLUMNS = ["person", "gender", "id", "spoof_count", "bonafide_count", "spoof_folder", "bonafide_folder"]


def composed(text: str) -> str:
    """Return a text in the composed Unicode form, NFC, in which texts are compared.

    >>> composed("Joa\\u0303o") == "Jo\\u00e3o"
    True
    """
    return normalize("NFC", text)


def person_of(table: pd.DataFrame) -> pd.Series:
    """Return the person of every row of a files or people table, `Maria_F003`, whichever edition wrote the table.

    >>> person_of(pd.DataFrame({"speaker": ["Maria", "Maria_F003"], "id": ["F003", "F003"]})).tolist()
    ['Maria_F003', 'Maria_F003']
    """
    rows = list(zip(table[_person_column(table)].tolist(), table["id"].tolist(), strict=True))
    spelled = {(name, identity): _spelled(name, identity) for name, identity in set(rows)}
    people = [spelled[row] for row in rows]
    return pd.Series(people, index=table.index, dtype=object if table.empty else None)


def with_one_spelling(table: pd.DataFrame) -> pd.DataFrame:
    """Return a files or people table whose people are spelled `Maria_F003`."""
    return table.assign(**{_person_column(table): person_of(table)})


def first_names(files: pd.DataFrame) -> pd.Series:
    """Return the people of a files table as in the first edition: without id, in the Unicode form of their folder.

    The assignment of people to splits and the digests of finished stores are still computed on this spelling, so that
    both stay reproducible.

    >>> columns = {"file": ["real_voices/Joa\\u0303o_M001/1.wav"], "speaker": ["Jo\\u00e3o_M001"], "id": ["M001"]}
    >>> first_names(pd.DataFrame(columns)).tolist() == ["Joa\\u0303o"]
    True
    """
    rows = zip(files["file"].tolist(), files["speaker"].tolist(), files["id"].tolist(), strict=True)
    names = [_in_form_of(file, name.removesuffix(_ending(identity)), identity) for file, name, identity in rows]
    return pd.Series(names, index=files.index)


def people_of(files: pd.DataFrame) -> pd.DataFrame:
    """Count the clips of every person; people are sorted by name, then by id.

    >>> columns = ["file", "speaker", "id", "gender", "label", "system"]
    >>> rows = [["real_voices/Ana_F001/1.wav", "Ana_F001", "F001", "F", "bona-fide", ""]]
    >>> list(people_of(pd.DataFrame(rows, columns=columns)).to_dict("records")[0].values())
    ['Ana_F001', 'F', 'F001', 0, 1, '', 'real_voices/Ana_F001']
    """
    people = person_of(files)
    firsts = ~people.duplicated()
    names = people.map(dict(zip(people[firsts].tolist(), first_names(files[firsts]).tolist(), strict=True)))
    is_spoof = files["label"] == LABEL_NAMES[SPOOF]
    clips = pd.DataFrame({"name": names, "id": files["id"], "gender": files["gender"], "person": people})
    for side, rows in zip(SIDES, (is_spoof, ~is_spoof), strict=True):
        clips[f"{side}_count"] = rows
        clips[f"{side}_folder"] = files["file"].where(rows)
    counted = clips.groupby(["name", "id", "gender"], sort=True).agg(
        {
            "person": "first",
            **{f"{side}_count": "sum" for side in SIDES},
            **{f"{side}_folder": "first" for side in SIDES},
        }
    )
    counted = counted.reset_index()
    for side in SIDES:
        counted[f"{side}_folder"] = [_folder(file) for file in counted[f"{side}_folder"].tolist()]
    return counted[PEOPLE_COLUMNS]


def _person_column(table: pd.DataFrame) -> str:
    return "speaker" if "speaker" in table else "person"


def _spelled(name: str, identity: str) -> str:
    return composed(name).removesuffix(_ending(identity)) + _ending(identity)


def _ending(identity: str) -> str:
    return composed(f"_{identity}")


def _in_form_of(file: str, name: str, identity: str) -> str:
    """Return a name in the Unicode form of the file's folder, if that folder bears the person's name."""
    if name.isascii() and file.isascii():
        return name
    folder = file.rpartition("/")[0].rpartition("/")[2].removesuffix("_Fake").removesuffix(f"_{identity}")
    return folder if composed(folder) == composed(name) else name


def _folder(file: object) -> str:
    """Return the folder of a clip; nothing where there is no clip."""
    return file.rpartition("/")[0] if isinstance(file, str) else ""
