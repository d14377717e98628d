"""Tar shards as WebDataset lays them out: the recordings stay inside and are read in place.

    <corpus>/shard-000000.tar, shard-000001.tar, ...       also in folders
        000001.flac     a recording of any format; it is listed as `shard-000000.tar/000001.flac`
        000001.json     {"label": "spoof", "speaker": "Ana", "gender": "F", "system": "melgan"}
        000002.flac
        000002.cls      the label alone
        000003.flac
        000003.txt      the label alone, or lines such as `label: spoof` and `speaker: Ana`

Members that share a name up to its first dot, with its folders, are one sample. The keys that are read are `KEYS`; only
the label is needed, in the words of `utils/labels.py` (`positive_label` names another one for bona fide speech, and
`label_column` and `speaker_column` other keys). Where there is a .json or .cls, a .txt is a transcript and is not read.
Rows come in the order in which recordings lie in their tar, so that steps which follow the table read it from front to
back. Only plain tars can be read in place: a .tar.gz is refused.

Source: github.com/webdataset/webdataset, "The WebDataset Format".
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

from src.audio.io import AUDIO_SUFFIXES
from src.audio.storage.places import TAR, locate
from src.audio.storage.tars import read_index
from src.corpora import OFFICIAL, Finding, Listing
from src.corpora.generic import column_of, labels_of, listing_of
from src.corpora.passed_over import OWN_FOLDERS, SYSTEM_FOLDERS, is_hidden, note_on
from src.utils.dataset import FILE_COLUMNS
from src.utils.labels import LABEL_NAMES, SPOOF, parse_label
from src.utils.segments import SEGMENTS

LABEL, SPEAKER = "label", "speaker"
KEYS = (LABEL, SPEAKER, "gender", "system", SEGMENTS, OFFICIAL)
"""What is read of a description."""
JSON, CLASS, TEXT = ".json", ".cls", ".txt"
COMPRESSED = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst")
N_KEYS_SHOWN = 8


@dataclass
class Sample:
    """The members of a tar that share a name."""

    recordings: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    """Suffix -> content of a description."""


def read_layout(dataset: Path, label_column: str = "", speaker_column: str = "", positive_label: str = "") -> Listing:
    """List the recordings of a folder of tars, in the order in which they lie there.

    Parameters
    ----------
    dataset : Path
    label_column, speaker_column : str
        Keys of the descriptions; "" = label and speaker.
    positive_label : str
        The word for bona fide speech, where it is none that is known; all others are spoofs then.

    Raises
    ------
    FileNotFoundError
        When there is no tar, or a link to one leads nowhere.
    ValueError
        When a tar is compressed or damaged, a description cannot be read, or no recording has a label.
    """
    renamed = {label_column or LABEL: LABEL, speaker_column or SPEAKER: SPEAKER}
    rows: list[dict[str, str]] = []
    left_out: dict[str, list[str]] = {"doubled": [], "unlabelled": [], "others": [], "links": [], "keys": []}
    for tar in _tars(dataset):
        rows += _rows_of(dataset, tar, renamed, left_out)
    unread = dict.fromkeys(left_out.pop("keys"))
    if not rows:
        keys = f" Their descriptions have the keys {', '.join(unread)}." if unread else ""
        raise ValueError(
            f"No recording in the tars of {dataset} has a label: a sample is 1.flac and 1.json with the keys "
            f"{', '.join(KEYS)}, or 1.cls with the label alone.{keys}"
        )
    table = pd.DataFrame(rows).fillna("")
    labels, notes = labels_of(table[LABEL], positive_label)
    if not positive_label:
        labels = _known(table, dataset)
    return _listing(table.assign(label=labels), [*notes, *_notes(left_out, list(unread))])


def _tars(dataset: Path) -> list[Path]:
    """Return the tars of a corpus, sorted."""
    found = [path for path in sorted(dataset.rglob("*")) if _counts(path.relative_to(dataset))]
    for path in found:
        if path.name.lower().endswith(COMPRESSED):
            raise ValueError(f"{path} is compressed, so that no recording can be read in place: make it a plain .tar.")
    tars = [path for path in found if path.suffix.lower() == TAR and not path.is_dir()]
    if not tars:
        raise FileNotFoundError(f"{dataset} holds no *.tar, as the layout webdataset has it.")
    return tars


def _counts(path: Path) -> bool:
    own = len(path.parts) > 1 and path.parts[0] in OWN_FOLDERS
    return not own and not _is_passed_over(path)


def _is_passed_over(path: Path) -> bool:
    return any(is_hidden(step) or step.name in SYSTEM_FOLDERS for step in map(Path, path.parts))


def _rows_of(
    dataset: Path, tar: Path, renamed: Mapping[str, str], left_out: dict[str, list[str]]
) -> Iterator[dict[str, str]]:
    """Yield the rows of one tar; note the names of what is passed over."""
    shard, index = tar.relative_to(dataset).as_posix(), read_index(locate(tar).file)
    left_out["links"] += [f"{shard} x {index.n_links}"] if index.n_links else []
    samples: dict[str, Sample] = {}
    with tar.open("rb") as file:
        for name, start, size in index.in_order():
            if not _is_passed_over(Path(name)):
                sample = samples.setdefault(_key_of(name), Sample())
                if not _add(sample, name, file, start, size):
                    left_out["others"].append(f"{shard}/{name}")
    for key, sample in samples.items():
        if not sample.recordings:
            continue
        told = _told(sample, f"{shard}/{key}")
        row = {renamed.get(name, name): str(value).strip() for name, value in told.items() if value is not None}
        left_out["keys"] += [name for name in told if renamed.get(name, name) not in KEYS]
        files = [f"{shard}/{name}" for name in sample.recordings]
        if len(files) > 1:
            left_out["doubled"].append(files[0])
        elif not row.get(LABEL):
            left_out["unlabelled"].append(files[0])
        else:
            yield {"file": files[0], **{name: row[name] for name in KEYS if name in row}}


def _key_of(name: str) -> str:
    """Return what the members of a sample share: their name up to its first dot, with its folders.

    >>> _key_of("train.1/000001.seg.flac")
    'train.1/000001'
    """
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(".")[0]


def _add(sample: Sample, name: str, file: BinaryIO, start: int, size: int) -> bool:
    """Add a member to its sample; return whether it is a recording or a description."""
    suffix = Path(name).suffix.lower()
    if suffix in AUDIO_SUFFIXES:
        sample.recordings.append(name)
    elif suffix in (JSON, CLASS, TEXT):
        file.seek(start)
        sample.texts[suffix] = file.read(size).decode("utf-8-sig", "replace")
    else:
        return False
    return True


def _told(sample: Sample, name: str) -> dict[str, Any]:
    """Return what the descriptions of a sample say, key -> value."""
    told: dict[str, Any] = {}
    if JSON in sample.texts:
        try:
            told = json.loads(sample.texts[JSON])
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{name}{JSON} is not valid JSON ({error}).") from None
        if not isinstance(told, dict):
            raise ValueError(f"{name}{JSON} must hold an object with the keys {', '.join(KEYS)}.")
    if CLASS in sample.texts:
        told = {LABEL: sample.texts[CLASS], **told}
    if not told and TEXT in sample.texts:
        lines = [line.partition(":") for line in sample.texts[TEXT].splitlines() if line.strip()]
        is_alone = len(lines) == 1 and not lines[0][1]
        told = {LABEL: lines[0][0]} if is_alone else {key.strip(): value for key, _, value in lines}
    return told


def _known(table: pd.DataFrame, dataset: Path) -> pd.Series:
    """Return the labels in our words; name the first recording that has an unknown one."""
    spelled = {}
    for word in table[LABEL].unique():
        try:
            spelled[word] = LABEL_NAMES[parse_label(word)]
        except ValueError as error:
            first = table["file"][table[LABEL] == word].iloc[0]
            raise ValueError(f"{dataset / first}: {error} Or name the one for bona fide by `positive_label`.") from None
    return table[LABEL].map(spelled)


def _listing(table: pd.DataFrame, notes: list[str]) -> Listing:
    """Return the listing, its rows in the order of the table."""
    system = column_of(table, "system").where(table[LABEL] == LABEL_NAMES[SPOOF], "")
    more = [name for name in (SEGMENTS, OFFICIAL) if name in table]
    rows = table[["file", LABEL, *more]].assign(system=system)
    listing = listing_of(rows, column_of(table, SPEAKER), column_of(table, "gender"), notes)
    in_order = listing.files.set_index("file").loc[table["file"]].reset_index()
    return Listing(in_order[[*FILE_COLUMNS, *in_order.columns.difference(FILE_COLUMNS)]], listing.notes)


def _notes(left_out: Mapping[str, list[str]], keys: list[str]) -> list[str]:
    findings = [
        *note_on("Recordings without a label, passed over", left_out["unlabelled"]),
        *note_on("Samples of several recordings, which have one label, passed over", left_out["doubled"]),
        *note_on("Links and files with holes, which cannot be read inside a tar, passed over", left_out["links"]),
    ]
    others = note_on("Members of other kinds, passed over", left_out["others"])
    unread = note_on(f"Keys that are not read (those that are: {', '.join(KEYS)})", keys, shown=N_KEYS_SHOWN)
    return [*map(Finding, findings), *others, *unread]
