"""The layout of Speech Commands: single words of about a second each, said by many people, and noise.

    <corpus>/<word>/<speaker>_nohash_<number>.wav       one word; speaker is a hash, number counts repetitions
    <corpus>/_background_noise_/<recording>.wav         a minute and more, as published: not listed, see below
    <corpus>/_background_noise_/<recording>/*           clips of a second, as fab CutNoise writes them
    <corpus>/validation_list.txt, testing_list.txt      the official split: <word>/<file>, one a line; optional

Word against noise is decided by the same tables, tasks and metrics as bona fide against spoof: the positive class is
spelled bona-fide, the other spoof, with `noise` or `other word` as its system, and `classes.json` says what they mean.
A column `word` holds what is said, and `official` the official split, where there is one.

Nobody's gender is published: it is U, unknown, and a person is spelled `<hash>_U000`. A recording of noise is a person
too, so that a split by person keeps its clips together. Folders whose name begins with an underscore are no words.

Source: Warden, "Speech Commands: a dataset for limited-vocabulary speech recognition", 2018. Licence: CC BY 4.0.
"""

import re
from pathlib import Path

import pandas as pd

from src.corpora import OFFICIAL, TEST, TRAIN, VALIDATION, Finding, Listing
from src.corpora.passed_over import OWN_FOLDERS, is_hidden, is_recording, is_system_folder, note_on
from src.corpora.protocols import Form, read_protocol
from src.utils.classes import WORD
from src.utils.dataset import FILE_COLUMNS, UNKNOWN_GENDER
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF
from src.utils.paths import on
from src.utils.people import composed

NOISE_FOLDER = "_background_noise_"
ANY_WORD = "word"
CLIP = re.compile(r"(?P<speaker>.+)_nohash_\d+")
LISTS = {VALIDATION: "validation_list.txt", TEST: "testing_list.txt"}
"""Official split -> the file that lists its clips; all other words are for training, and noise is in no split."""
LIST = Form(("file",), id="file", separator="\t")
IDENTITY = f"{UNKNOWN_GENDER}000"


def read_layout(dataset: Path, positive_label: str = ANY_WORD) -> Listing:
    """List the words and the noise of a corpus, sorted by file.

    Parameters
    ----------
    dataset : Path
    positive_label : str
        What is positive: `word`, any word against noise; or one of the words, against noise and all other words.

    Raises
    ------
    ValueError
        When there is no word, or none is called so; or the official split is wrong.
    """
    words, noise = word_recordings(dataset), noise_clips(dataset)
    spoken = sorted({path.parent.name for path in words})
    if not spoken:
        raise ValueError(
            f"{dataset} holds no word: the layout speech_commands is <word>/<speaker>_nohash_<number>.wav."
        )
    if positive_label not in (ANY_WORD, *spoken):
        raise ValueError(
            f"`positive_label` must be {ANY_WORD}, which is any of them, or one of {', '.join(spoken)}, "
            f"not '{positive_label}'."
        )
    rows = [_row_of_word(path, positive_label) for path in words]
    rows += [_row_of_noise(path) for path in noise]
    files = pd.DataFrame(rows, columns=[*FILE_COLUMNS, WORD])
    clips = files["file"].map(_plain)
    official, findings = _official(dataset, set(clips))
    if official:
        files[OFFICIAL] = clips.map(official).fillna(files[WORD].map(lambda word: TRAIN if word else ""))
    one_word = positive_label != ANY_WORD
    names = {BONAFIDE: f'"{positive_label}"' if one_word else "word", SPOOF: "other sound" if one_word else "noise"}
    return Listing(files, (*_notes(dataset, len(noise)), *map(Finding, findings)), names)


def word_recordings(dataset: Path) -> list[Path]:
    """Return the recordings of words, sorted."""
    folders = [path for path in dataset.iterdir() if path.is_dir() and _may_be_word(path)]
    return sorted(path for folder in folders for path in folder.iterdir() if _is_named_recording(path))


def noise_recordings(dataset: Path) -> list[Path]:
    """Return the recordings of noise that are to be cut, sorted."""
    folder = dataset / NOISE_FOLDER
    return sorted(path for path in folder.iterdir() if is_recording(path)) if folder.is_dir() else []


def noise_clips(dataset: Path) -> list[Path]:
    """Return the clips that were cut from recordings of noise, sorted."""
    return sorted(path for path in (dataset / NOISE_FOLDER).glob("*/*") if is_recording(path))


def _row_of_word(path: Path, positive_label: str) -> list[str]:
    word, match = path.parent.name, CLIP.fullmatch(composed(path.stem))
    assert match, "word_recordings leaves out other names"
    positive = positive_label in (ANY_WORD, word)
    label = LABEL_NAMES[BONAFIDE if positive else SPOOF]
    return [f"{word}/{path.name}", *_person(match["speaker"]), label, "" if positive else "other word", word]


def _row_of_noise(path: Path) -> list[str]:
    file = f"{NOISE_FOLDER}/{path.parent.name}/{path.name}"
    return [file, *_person(composed(path.parent.name)), LABEL_NAMES[SPOOF], "noise", ""]


def _person(name: str) -> tuple[str, str, str]:
    return f"{name}_{IDENTITY}", IDENTITY, UNKNOWN_GENDER


def _may_be_word(folder: Path) -> bool:
    return not (
        is_hidden(folder) or is_system_folder(folder) or folder.name in OWN_FOLDERS or folder.name.startswith("_")
    )


def _is_named_recording(path: Path) -> bool:
    return is_recording(path) and CLIP.fullmatch(composed(path.stem)) is not None


def _official(dataset: Path, clips: set[str]) -> tuple[dict[str, str], list[str]]:
    """Return clip, without its suffix -> official split, and what is wrong; empty where the corpus has no lists."""
    official: dict[str, str] = {}
    findings = []
    there = {split: name for split, name in LISTS.items() if (dataset / name).is_file()}
    for split, name in LISTS.items():
        if split not in there:
            findings += [f"There is no {name}, so its clips count as training in the official split."] if there else []
            continue
        files = read_protocol(dataset / name, LIST)["file"]
        listed = files.map(_plain)
        if listed.isin(official).any():
            twice = files[listed.isin(official)].iloc[0]
            raise ValueError(f"{dataset / name} names {twice}, as {LISTS[VALIDATION]} does: keep one of the two.")
        missing = files[~listed.isin(clips)].tolist()
        findings += note_on(f"Rows of {name} without a recording, passed over", missing)
        official |= dict.fromkeys(listed, split)
    return official, findings


def _plain(file: str) -> str:
    return composed(file).rpartition(".")[0]


def _notes(dataset: Path, n_noise: int) -> list[str]:
    """Say what is not listed, and what is missing for a detector."""
    folders = [path for path in sorted(dataset.iterdir()) if path.is_dir() and _may_be_word(path)]
    odd = [
        f"{folder.name}/{path.name}"
        for folder in folders
        for path in sorted(folder.iterdir())
        if is_recording(path) and not _is_named_recording(path)
    ]
    notes = []
    if odd:
        notes.append(f"Recordings not named <speaker>_nohash_<number>, passed over: {len(odd)} (first: {odd[0]}).")
    whole = noise_recordings(dataset)
    if whole:
        notes.append(
            f"Recordings of noise passed over, as they are not clips of a second: {len(whole)} "
            f"(first: {whole[0].name}); fab CutNoise{on(dataset)} writes a corpus with such clips."
        )
    elif not n_noise:
        notes.append(f"There is no noise in {NOISE_FOLDER}/.")
    return notes
