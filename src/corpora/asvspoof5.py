"""ASVspoof 5: crowdsourced speech of some 2,000 people in the wild, and spoofs of 32 attacks, track 1.

    <corpus>/ASVspoof5.train.tsv, ASVspoof5.dev.track_1.tsv, ASVspoof5.eval.track_1.tsv
    <corpus>/flac_T/T_0000000000.flac, flac_D/D_..., flac_E_eval/E_...

Protocols may also lie in `protocols/` or `ASVspoof5_protocols/`. In spite of their suffix, their fields are separated
by blanks. A line is `D_4461 D_0000000169 F - - - AC1 A14 spoof -`: speaker, recording, gender, codec, its quality and
seed, kind of attack, attack, label, and one that is not used. Track 2, speaker verification, is not read.

Source: Wang et al., "ASVspoof 5: design, collection and validation of resources for spoofing, deepfake, and adversarial
attack detection using crowdsourced speech", 2025; Zenodo. Licence: as stated
there.
"""

from pathlib import Path

from src.corpora import TEST, TRAIN, VALIDATION, Listing
from src.corpora.asvspoof import Part, as_listing, choose_track, form_of, read_parts

CHALLENGE = "ASVspoof 5"


def _part(name: str, official: str, protocol: str, folder: str, published: tuple[int, int]) -> Part:
    others = (f"protocols/{protocol}", f"ASVspoof5_protocols/{protocol}")
    return Part(name, official, protocol, folder, published, others)


PARTS = (
    _part("train", TRAIN, "ASVspoof5.train.tsv", "flac_T", (18797, 163560)),
    _part("dev", VALIDATION, "ASVspoof5.dev.track_1.tsv", "flac_D", (31334, 109616)),
    _part("eval", TEST, "ASVspoof5.eval.track_1.tsv", "flac_E_eval", (138688, 542086)),
)


def read_layout(dataset: Path) -> Listing:
    """List the clips of track 1 of ASVspoof 5, sorted by file.

    Raises
    ------
    FileNotFoundError
        When the folder holds no part of it.
    ValueError
        When a protocol is wrong, or no row has a recording.
    """
    _, parts = choose_track(dataset, CHALLENGE, {"": PARTS})
    rows, notes = read_parts(dataset, parts, form_of(CHALLENGE))
    return as_listing(rows.drop(columns="tmp"), notes, parts)
