"""ASVspoof 2019: synthetic and converted speech (logical access, LA), or replayed speech (physical access, PA).

    <corpus>/ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.train.trn.txt, ...cm.dev.trl.txt, ...cm.eval.trl.txt
    <corpus>/ASVspoof2019_LA_train/flac/LA_T_1000137.flac        beside ..._dev/flac and ..._eval/flac
    <corpus>/ASVspoof2019_LA_asv_protocols/*.trn.txt             optional: which recordings enrol speakers
    <corpus>/ASVspoof2019_LA_asv_scores/*.scores.txt             optional: for the min t-DCF (`asv_scores.py`)

and the same with PA. `<corpus>` may also be the folder above, which holds `LA/` or `PA/`; both are two corpora.

A line is `LA_0039 LA_E_2834763 - A11 spoof`: speaker, recording, environment (PA alone), system and label. A spoof of
PA is made through an attack such as `AB`, distance and quality of the device, which is its system. 142 recordings of
LA's dev and 696 of its eval enrol speakers for verification and have no label. Nobody's gender is published: U.

Source: Wang et al., "ASVspoof 2019: a large-scale public database of synthesized, converted and replayed speech", 2020;
University of Edinburgh DataShare. Licence: ODC-By 1.0.
"""

import re
from pathlib import Path

from src.corpora import TEST, TRAIN, VALIDATION, Listing
from src.corpora.asvspoof import Part, as_listing, choose_track, form_of, read_parts

CHALLENGE = "ASVspoof 2019"
PUBLISHED = {
    "LA": {"train": (2580, 22800), "dev": (2548, 22296), "eval": (7355, 63882)},
    "PA": {"train": (5400, 48600), "dev": (5400, 24300), "eval": (18090, 116640)},
}
SPLITS = {"train": (TRAIN, "trn"), "dev": (VALIDATION, "trl"), "eval": (TEST, "trl")}
TRACKS = {
    track: tuple(
        Part(
            name,
            official,
            f"ASVspoof2019_{track}_cm_protocols/ASVspoof2019.{track}.cm.{name}.{ending}.txt",
            f"ASVspoof2019_{track}_{name}/flac",
            counts[name],
        )
        for name, (official, ending) in SPLITS.items()
    )
    for track, counts in PUBLISHED.items()
}


def read_layout(dataset: Path) -> Listing:
    """List the clips of one track of ASVspoof 2019, sorted by file.

    Raises
    ------
    FileNotFoundError
        When the folder holds neither track.
    ValueError
        When it holds both, a protocol is wrong, or no row has a recording.
    """
    track, parts = choose_track(dataset, CHALLENGE, TRACKS)
    rows, notes = read_parts(dataset, parts, form_of(CHALLENGE), _enrolled(dataset, track))
    return as_listing(rows, notes, parts)


def _enrolled(dataset: Path, track: str) -> frozenset[str]:
    """Return the names of the recordings that enrol speakers."""
    folders = (dataset / start / f"ASVspoof2019_{track}_asv_protocols" for start in ("", track))
    lists = [path.read_text("utf-8-sig", "replace") for folder in folders for path in folder.glob("*.trn.txt")]
    return frozenset(name for text in lists for name in re.findall(rf"{track}_[DE]_\w+", text))
