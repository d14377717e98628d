"""Fake-or-Real: speech of many open corpora, and text-to-speech by 33 commercial and open voices; English.

    <corpus>/training/real/*.wav      <corpus>/training/fake/*.wav      and the same in validation/ and testing/

Four versions hold the same utterances: for-original, for-norm (16 kHz, mono, one level, silence cut), for-2sec (cut to
two seconds) and for-rerec (for-2sec played and recorded again). `<corpus>` is one of them, or a folder above it that
holds no other; archives nest it once or twice, as in for-2sec/for-2seconds. The official split goes into the column
`official`.

No speakers and no systems are published: each recording counts as a person of its own (`unknown_people.py`).

Source: Reimao and Tzerpos, "FoR: A Dataset for Synthetic Speech Detection", SpeD 2019; York University. Licence: GNU
GPL 3.0, as stated there. The counts are those of the distributed archives.
"""

from pathlib import Path

import pandas as pd

from src.corpora import OFFICIAL, TEST, TRAIN, VALIDATION, Finding, Listing
from src.corpora.passed_over import is_hidden, is_system_folder, note_on
from src.corpora.recordings import as_files, find_recordings, with_people
from src.corpora.unknown_people import note_on_people, own_people
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF

SPLITS = {"training": TRAIN, "validation": VALIDATION, "testing": TEST}
CLASSES = {"real": LABEL_NAMES[BONAFIDE], "fake": LABEL_NAMES[SPOOF]}
PUBLISHED = {
    "for-norm": {TRAIN: (26941, 26927), VALIDATION: (5400, 5398), TEST: (2264, 2370)},
    "for-2": {TRAIN: (6978, 6978), VALIDATION: (1413, 1413), TEST: (544, 544)},
    "for-rerec": {TRAIN: (5104, 5104), VALIDATION: (1101, 1143), TEST: (408, 408)},
}
"""How the folder's name begins -> the counts of the version; those of for-original differ from copy to copy."""
NESTING = 2
"""How many folders archives put above the splits."""


def read_layout(dataset: Path) -> Listing:
    """List the clips of one version of Fake-or-Real, sorted by file.

    Raises
    ------
    FileNotFoundError
        When the folder does not hold the corpus.
    ValueError
        When it holds several versions, or no recording.
    """
    version = _find_version(dataset)
    start = "" if version == dataset else f"{version.relative_to(dataset).as_posix()}/"
    folders = {f"{start}{split}/{name}": (split, name) for split in SPLITS for name in CLASSES}
    recordings = find_recordings(dataset, list(folders))
    files = recordings.files
    if files.empty:
        raise ValueError(f"{version} holds no recording in training/real/ or in any of the other five folders.")
    places = files["file"].str.rpartition("/")[0].map(folders)
    rows = files[["file"]].assign(label=places.str[1].map(CLASSES), system="", **{OFFICIAL: places.str[0].map(SPLITS)})
    rows = with_people(rows, own_people(files["file"]))
    notes = [*recordings.notes, *_findings(dataset, folders, files), *note_on_people(len(rows), len(rows))]
    published = next((counts for name, counts in PUBLISHED.items() if version.name.startswith(name)), {})
    return Listing(as_files(rows), tuple(notes), has_protocol=True, published=published)


def _find_version(dataset: Path) -> Path:
    """Return the folder that holds the three splits."""
    found, level = [], [dataset]
    for _ in range(NESTING + 1):
        found += [
            folder for folder in level if any((folder / split / name).is_dir() for split in SPLITS for name in CLASSES)
        ]
        below = [path for folder in level if folder not in found for path in sorted(folder.iterdir()) if path.is_dir()]
        level = [path for path in below if not is_hidden(path) and not is_system_folder(path)]
    if not found:
        raise FileNotFoundError(
            f"{dataset} does not hold Fake-or-Real as published, such as training/real/ and training/fake/: give the "
            "folder that holds them."
        )
    if len(found) > 1:
        names = " and ".join(folder.relative_to(dataset).as_posix() for folder in found)
        raise ValueError(
            f"{dataset} holds {names}, versions of the same recordings: give one as `dataset`, such as {found[0]}."
        )
    return found[0]


def _findings(dataset: Path, folders: dict[str, tuple[str, str]], files: pd.DataFrame) -> list[str]:
    """Report folders without recordings, recordings beside the folders of classes, and names that occur twice."""
    full = set(files["file"].str.rpartition("/")[0])
    splits = sorted({folder.rpartition("/")[0] for folder in folders})
    beside = find_recordings(dataset, splits).files["file"].tolist()
    folder_and_name = files["file"].str.rpartition("/")[0] + "/" + files["name"]
    twice = files["file"][folder_and_name.duplicated()].tolist()
    notes = [
        *note_on("Folders without a recording", [f"{folder}/" for folder in folders if folder not in full], shown=6),
        *note_on("Recordings passed over, beside real/ and fake/", beside),
        *note_on("Recordings of a name that another one in their folder bears", twice),
    ]
    return [*map(Finding, notes)]
