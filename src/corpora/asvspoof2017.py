"""ASVspoof 2017, version 2: replayed speech, that is, recordings of a person played back to a microphone.

    <corpus>/protocol_V2/ASVspoof2017_V2_train.trn.txt, ASVspoof2017_V2_dev.trl.txt, ASVspoof2017_V2_eval.trl.txt
    <corpus>/ASVspoof2017_V2_train/T_1000001.wav        beside ..._dev/D_... and ..._eval/E_...

A line is `T_1000001.wav genuine M0001 S01 - - -`: file, label, speaker, phrase, environment, playback device and
recorder. Protocols may also lie in the corpus folder itself. A replay is made by no system but through a chain of
devices, so this chain, `E01-P02-R04`, is its system. Nobody's gender is published: U.

Source: Delgado et al., "ASVspoof 2017 Version 2.0: meta-data analysis and baseline enhancements", 2018; University of
Edinburgh DataShare. Licence: as stated there, for research.
"""

from pathlib import Path

from src.corpora import TEST, TRAIN, VALIDATION, Listing
from src.corpora.asvspoof import Part, as_listing, choose_track, read_parts
from src.corpora.protocols import Form
from src.corpora.recordings import without_suffix

FORM = Form(("trial", "label", "speaker", "phrase", "environment", "playback", "recorder"), id="trial", label="label")
CHAIN = ["environment", "playback", "recorder"]


def _part(name: str, official: str, ending: str, published: tuple[int, int]) -> Part:
    protocol = f"ASVspoof2017_V2_{name}.{ending}.txt"
    return Part(name, official, f"protocol_V2/{protocol}", f"ASVspoof2017_V2_{name}", published, (protocol,))


PARTS = (
    _part("train", TRAIN, "trn", (1507, 1507)),
    _part("dev", VALIDATION, "trl", (760, 950)),
    _part("eval", TEST, "trl", (1298, 12008)),
)


def read_layout(dataset: Path) -> Listing:
    """List the clips of ASVspoof 2017 V2, sorted by file.

    Raises
    ------
    FileNotFoundError
        When the folder holds no part of it.
    ValueError
        When a protocol is wrong, or no row has a recording.
    """
    _, parts = choose_track(dataset, "ASVspoof 2017 V2", {"": PARTS})
    rows, notes = read_parts(dataset, parts, FORM)
    chain = rows[CHAIN[0]].str.cat(rows[CHAIN[1:]], sep="-")
    rows = rows.assign(trial=without_suffix(rows["trial"]), system=chain.where(chain != "-----", ""))
    return as_listing(rows, notes, parts)
