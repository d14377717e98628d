"""WaveFake: the readings of two women, and copies of them by neural vocoders; English and Japanese.

    <corpus>/generated_audio/<corpus>_<vocoder>/LJ001-0001_gen.wav     spoofs: ljspeech_melgan, jsut_parallel_wavegan
    <corpus>/LJSpeech-1.1/wavs/LJ001-0001.wav                          bona fide, a corpus of its own (13,100)
    <corpus>/jsut_ver1.1/basic5000/wav/BASIC5000_0001.wav              bona fide, a corpus of its own (5,000)

There is no protocol: folders say what is what. A spoof belongs to the woman whose corpus its folder names, and its
system is the rest of that name. The two genuine corpora are downloaded apart; one of them will do. With two people
there is no split by person of use: train on one and test on the other, or use the corpus with others (MergeDatasets).

Source: Frank and Schönherr, "WaveFake: A Data Set to Facilitate Audio Deepfake Detection", NeurIPS 2021; Zenodo
5642694. Licence: CC BY-SA 4.0 (spoofs); LJSpeech is in the public domain, JSUT has terms of its own. The count of
spoofs is the paper's; later releases hold more.
"""

from pathlib import Path

import pandas as pd

from src.corpora import Finding, Listing
from src.corpora.passed_over import is_hidden, is_system_folder, note_on
from src.corpora.recordings import as_files, as_people, find_recordings, with_people
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF

SPOOFS = "generated_audio"
GENUINE = {"ljspeech": "LJSpeech-1.1/wavs", "jsut": "jsut_ver1.1/basic5000/wav"}
"""How folders of spoofs spell a genuine corpus -> where its recordings lie."""
PEOPLE = {"ljspeech": "LJSpeech", "jsut": "JSUT"}
PUBLISHED = {"": (18100, 117985)}


def read_layout(dataset: Path) -> Listing:
    """List the clips of WaveFake and of the genuine corpora beside it, sorted by file.

    Raises
    ------
    FileNotFoundError
        When the folder does not hold the corpus.
    ValueError
        When it holds no spoof.
    """
    if not (dataset / SPOOFS).is_dir():
        raise FileNotFoundError(
            f"{dataset} does not hold WaveFake as published, such as {SPOOFS}/ljspeech_melgan/ and "
            f"{GENUINE['ljspeech']}/: give the folder that holds them."
        )
    folders = [path for path in sorted((dataset / SPOOFS).iterdir()) if path.is_dir()]
    made = [f"{SPOOFS}/{path.name}" for path in folders if not is_hidden(path) and not is_system_folder(path)]
    spoofs, genuine = find_recordings(dataset, made), find_recordings(dataset, list(GENUINE.values()))
    if spoofs.files.empty:
        raise ValueError(f"{dataset / SPOOFS} holds no recording in a folder such as ljspeech_melgan/.")
    fake = spoofs.files.assign(folder=spoofs.files["file"].str.split("/").str[1], label=LABEL_NAMES[SPOOF])
    fake["corpus"] = fake["folder"].map(_corpus_of)
    fake["system"] = fake["folder"].str.replace(r"^(?:ljspeech|jsut)_", "", regex=True)
    real = genuine.files.assign(folder="", label=LABEL_NAMES[BONAFIDE], system="")
    real["corpus"] = [_place_of(file) for file in real["file"]]
    rows = pd.concat([fake, real], ignore_index=True)
    known = rows["corpus"] != ""
    people = as_people(rows["corpus"].map(PEOPLE).where(known, rows["folder"]), known.map({True: "F", False: "U"}))
    rows = with_people(rows, people)
    notes = [*spoofs.notes, *genuine.notes, *_findings(dataset, fake, real)]
    files = as_files(rows.drop(columns=["name", "folder", "corpus"]))
    return Listing(files, tuple(notes), has_protocol=True, published=PUBLISHED)


def _corpus_of(folder: str) -> str:
    """Return which genuine corpus the name of a folder names; "" where it names none.

    >>> _corpus_of("jsut_multi_band_melgan"), _corpus_of("common_voices_prompts_from_conformer_pwg_ljspeech")
    ('jsut', 'ljspeech')
    """
    return next((corpus for corpus in GENUINE if corpus in folder.lower()), "")


def _place_of(file: str) -> str:
    return next(corpus for corpus, folder in GENUINE.items() if file.startswith(f"{folder}/"))


def _findings(dataset: Path, fake: pd.DataFrame, real: pd.DataFrame) -> list[str]:
    """Report what is missing on the genuine side, and recordings and folders that cannot be told."""
    notes = []
    for corpus in sorted(set(fake["corpus"]) - set(real["corpus"]) - {""}):
        notes.append(f"There is no genuine speech of {PEOPLE[corpus]}: put it in {GENUINE[corpus]}/.")
    originals = fake["corpus"] + "/" + fake["name"].str.extract(r"^((?:LJ\d|BASIC5000).*)_gen$", expand=False)
    with_side = originals[fake["corpus"].isin(set(real["corpus"]))].dropna()
    gone = with_side[~with_side.isin(real["corpus"] + "/" + real["name"])]
    both = pd.concat([fake, real])
    twice = (both["file"].str.rpartition("/")[0] + "/" + both["name"]).duplicated()
    beside = find_recordings(dataset, [SPOOFS]).files["file"].tolist()
    unknown = sorted({f"{SPOOFS}/{folder}/" for folder in fake["folder"][fake["corpus"] == ""]})
    notes += [
        *note_on("Spoofs whose original is missing", fake["file"][gone.index].tolist()),
        *note_on("Recordings passed over, outside any vocoder's folder", beside),
        *note_on("Recordings of a name that another one in their folder bears", both["file"][twice].tolist()),
        *note_on("Folders that name neither ljspeech nor jsut, each taken for a person", unknown),
    ]
    return [*map(Finding, notes)]
