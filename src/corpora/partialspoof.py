"""PartialSpoof: bona fide speech of ASVspoof 2019 LA with spoofed segments put in; which segments, is published.

    <corpus>/protocols/PartialSpoof_LA_cm_protocols/PartialSpoof.LA.cm.train.trl.txt      and dev, eval
    <corpus>/train/con_wav/CON_T_0000000.wav, LA_T_1138215.wav                            and dev/, eval/
    <corpus>/segment_labels/train_seglab_0.01.npy                                         optional; and dev, eval

`<corpus>` may also be the folder above, which holds `database/`. A line is that of ASVspoof 2019:
`LA_0079 CON_T_0000000 - CON spoof`. A file of segment labels holds, for each recording, one label for every 0.01 s (or
0.02, 0.04, ... 0.64): 0 = spoof, 1 = bona fide. The finest one that is there becomes the column `segments`; those
coarser than 0.04 s are not used, because their last segment may end long after the recording.

Source: Zhang et al., "The PartialSpoof Database and Countermeasures", IEEE/ACM TASLP 2023; Zenodo 5766198. Licence:
CC BY 4.0.
"""

from pathlib import Path

import numpy as np

from src.corpora import TEST, TRAIN, VALIDATION, Finding, Listing
from src.corpora.asvspoof import Part, as_listing, choose_track, form_of, read_parts
from src.corpora.asvspoof2019 import PUBLISHED as PUBLISHED_2019
from src.corpora.passed_over import note_on
from src.corpora.pickled_arrays import read_pickled_arrays
from src.utils.labels import LABEL_NAMES, SPOOF
from src.utils.segments import SEGMENTS, format_segments

NAME, ABOVE = "PartialSpoof", "database"
SPLITS = {"train": TRAIN, "dev": VALIDATION, "eval": TEST}
PUBLISHED = PUBLISHED_2019["LA"]
"""Every spoof of ASVspoof 2019 LA has a partly spoofed counterpart."""
RESOLUTIONS = ("0.01", "0.02", "0.04")
"""In s, the finest first, as file names spell them."""
PARTS = tuple(
    Part(
        part,
        official,
        f"protocols/PartialSpoof_LA_cm_protocols/PartialSpoof.LA.cm.{part}.trl.txt",
        f"{part}/con_wav",
        PUBLISHED[part],
    )
    for part, official in SPLITS.items()
)


def read_layout(dataset: Path) -> Listing:
    """List the clips of PartialSpoof, sorted by file, with the spoofed stretches where they are published.

    Raises
    ------
    FileNotFoundError
        When the folder does not hold the corpus.
    ValueError
        When a protocol or a file of segment labels is wrong, or no row has a recording.
    """
    _, parts = choose_track(dataset, NAME, {ABOVE: PARTS})
    rows, notes = read_parts(dataset, parts, form_of("ASVspoof 2019"))
    start = parts[0].protocol.removesuffix(PARTS[0].protocol)
    cells: dict[str, str] = {}
    for part in parts:
        found, labels = _find_labels(dataset / start / "segment_labels", part.name)
        if found:
            cells |= labels
        elif (rows["official"] == part.official).any():
            notes.append(f"No segment labels for {part.name} ({start}segment_labels/{part.name}_seglab_0.01.npy).")
    spoofs = rows["label"] == LABEL_NAMES[SPOOF]
    known = rows["trial"].map(cells)
    if cells:
        contradicting = known.notna() & ((known != "") != spoofs)
        for what, named in (
            ("Spoofs without segment labels", spoofs & known.isna()),
            ("Clips whose segment labels contradict the protocol, which counts", contradicting),
        ):
            notes += map(Finding, note_on(what, rows["trial"][named].tolist()))
    rows[SEGMENTS] = known.where(spoofs, "").fillna("")
    return as_listing(rows, notes, parts)


def _find_labels(folder: Path, part: str) -> tuple[Path | None, dict[str, str]]:
    """Return the finest file of segment labels of a part, if there is one, and recording -> its spoofed stretches."""
    for resolution in RESOLUTIONS:
        path = folder / f"{part}_seglab_{resolution}.npy"
        if path.is_file():
            labels = read_pickled_arrays(path)
            return path, {name: _stretches(values, float(resolution), name, path) for name, values in labels.items()}
    return None, {}


def _stretches(labels: np.ndarray, resolution: float, name: str, path: Path) -> str:
    """Return the cell for the labels (n,) of a recording's segments, the text or number 0 = spoof and 1 = bona fide."""
    values = labels.ravel().astype(str)
    is_spoof = values == "0"
    other = values[~is_spoof & (values != "1")]
    if len(other):
        raise ValueError(f"{path}, {name}: a segment's label must be 0 (spoof) or 1, not '{other[0]}'.")
    edges = np.flatnonzero(np.diff(is_spoof.astype(int), prepend=0, append=0))
    return format_segments(edges.reshape(-1, 2) * resolution)
