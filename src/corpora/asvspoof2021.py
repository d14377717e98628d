"""ASVspoof 2021: speech of 2019's systems sent over telephones (LA), or coded as on the web, with more systems (DF).

    <corpus>/ASVspoof2021_LA_eval/flac/LA_E_1000147.flac
    <corpus>/keys/LA/CM/trial_metadata.txt       the labels, published later as LA-keys-full
    <corpus>/keys/LA/ASV/                        optional: for the min t-DCF (`asv_scores.py`)

and the same with DF, which has no t-DCF. `<corpus>` may also be `ASVspoof2021_LA_eval` itself; the keys then lie in it
or beside it. LA and DF are two corpora. `ASVspoof2021.LA.cm.eval.trl.txt` lies beside the recordings and has no labels.

A line of LA has 8 fields: speaker, recording, codec, transmission, system, label, trim, subset. DF has 13: its
transmission is the source (asvspoof, vcc2018, vcc2020), and kind of vocoder, task, team, genders and language follow.

There is no training data. The official test is the subset `eval`; `progress`, which was open during the challenge, and
`hidden`, without silences, are parts of their own in the column `official`. Nobody's gender is published: U.

Source: Liu et al., "ASVspoof 2021: towards spoofed and deepfake speech detection in the wild", 2023; Zenodo. Licence:
ODC-By 1.0.
"""

from pathlib import Path

from src.corpora import OFFICIAL, TEST, Listing
from src.corpora.asvspoof import Part, as_listing, choose_track, form_of, not_there, read_parts

CHALLENGE = "ASVspoof 2021"
PUBLISHED = {"LA": (14816, 133360), "DF": (14869, 519059)}
"""Of the subset eval; with the other subsets, LA has 181,566 recordings and DF 611,829."""


def _parts(track: str, folder: str) -> tuple[Part, ...]:
    key = "CM/trial_metadata.txt"
    of_track = (f"keys/{track}/{key}", f"{track}-keys-full/keys/{track}/{key}", f"{track}/{key}")
    places = (f"keys/{key}", *of_track, key, *(f"../{place}" for place in of_track))
    return (Part("eval", TEST, of_track[0], folder, PUBLISHED[track], places),)


def read_layout(dataset: Path) -> Listing:
    """List the clips of one track of ASVspoof 2021, sorted by file.

    Raises
    ------
    FileNotFoundError
        When the folder holds neither track, or no labels.
    ValueError
        When it holds both, the key is wrong, or no row has a recording.
    """
    tracks = {track: _parts(track, folder) for track in PUBLISHED if (folder := _folder(dataset, track))}
    if not tracks:
        raise not_there(dataset, CHALLENGE, _parts("LA", "ASVspoof2021_LA_eval/flac"))
    track, parts = choose_track(dataset, CHALLENGE, tracks)
    if parts[0].find_protocol(dataset) is None:
        raise FileNotFoundError(
            f"{dataset} has recordings of {CHALLENGE} {track} and no labels: the keys of the challenge are needed, "
            f"published as {track}-keys-full; put {parts[0].protocol} into it."
        )
    rows, notes = read_parts(dataset, parts, form_of(f"{CHALLENGE} {track}"))
    rows[OFFICIAL] = rows["subset"].where(rows["subset"] != "eval", TEST)
    others = rows[OFFICIAL][rows[OFFICIAL] != TEST].value_counts().sort_index()
    notes += [f"Clips of the subset {name}, no part of the official test: {count}." for name, count in others.items()]
    return as_listing(rows, notes, parts)


def _folder(dataset: Path, track: str) -> str:
    """Return the folder of a track's recordings, relative to the corpus; empty where it is not there."""
    usual = f"ASVspoof2021_{track}_eval/flac"
    if (dataset / usual).is_dir() or (dataset / track / usual).is_dir():
        return usual
    signs = (f"ASVspoof2021.{track}.cm.eval.trl.txt", f"keys/{track}")
    is_track = dataset.name == f"ASVspoof2021_{track}_eval" or any((dataset / sign).exists() for sign in signs)
    return "flac" if is_track and (dataset / "flac").is_dir() else ""
