"""What the corpora of the ASVspoof challenges share: parts, each with a protocol and a folder of recordings.

A part that is not there is told, for a download may be a part of the corpus: only a corpus without any part is an
error. Speakers are called what the protocol calls them, and a spoof belongs to the speaker whom it names. The official
split goes into the column `official`; what else a protocol says, such as codec or attack, is kept as columns.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from src.corpora import OFFICIAL, Finding, Listing
from src.corpora.passed_over import note_on
from src.corpora.protocols import Form, read_protocol
from src.corpora.recordings import Recordings, as_files, as_people, find_recordings, join_recordings
from src.utils.labels import LABEL_NAMES, SPOOF
from src.utils.score_formats import PROTOCOLS


@dataclass(frozen=True)
class Part:
    """A part of a corpus; paths are relative to the corpus folder."""

    name: str
    """What the makers call it: train, dev or eval."""
    official: str
    """What it is called in the column `official`."""
    protocol: str
    folder: str
    """Of the recordings, which lie directly in it."""
    published: tuple[int, int]
    """How many recordings the makers counted, bona fide and spoofed."""
    others: tuple[str, ...] = ()
    """Where the protocol may lie as well; the first that is there counts."""

    def below(self, start: str) -> "Part":
        """Return the part of a corpus that lies in a folder of the corpus folder, such as `LA/`."""
        others = tuple(start + other for other in self.others)
        return replace(self, protocol=start + self.protocol, folder=start + self.folder, others=others)

    def find_protocol(self, dataset: Path) -> Path | None:
        """Return the path of the protocol, if it is there."""
        return next((dataset / path for path in (self.protocol, *self.others) if (dataset / path).is_file()), None)

    def signs(self, dataset: Path) -> int:
        """Return how many of its protocol and its folder are there."""
        return (dataset / self.folder).is_dir() + (self.find_protocol(dataset) is not None)


def form_of(challenge: str) -> Form:
    """Return the form of a challenge's protocol.

    >>> form_of("ASVspoof 2019").columns
    ('speaker', 'trial', 'environment', 'system', 'label')
    """
    return Form(tuple(PROTOCOLS[challenge].split()), id="trial", label="label")


def choose_track(dataset: Path, challenge: str, tracks: Mapping[str, Sequence[Part]]) -> tuple[str, tuple[Part, ...]]:
    """Return which track of a challenge lies in a folder, or in a folder of the track's name inside it, and its parts.

    A challenge without tracks has one called "".

    Raises
    ------
    FileNotFoundError
        When there is none.
    ValueError
        When there are several.
    """
    found: dict[str, tuple[Part, ...]] = {}
    for track, parts in tracks.items():
        starts = ("", f"{track}/") if track else ("",)
        places = [tuple(part.below(start) for part in parts) for start in starts]
        signs = [sum(part.signs(dataset) for part in here) for here in places]
        if any(signs):
            found[track] = places[signs.index(max(signs))]
    if not found:
        raise not_there(dataset, challenge, [parts[0] for parts in tracks.values()])
    if len(found) > 1:
        raise ValueError(
            f"{dataset} holds {' and '.join(found)} of {challenge}, which are corpora of their own: "
            f"{_how_to_choose(dataset, *next(iter(found.items())))}."
        )
    return next(iter(found.items()))


def _how_to_choose(dataset: Path, track: str, parts: Sequence[Part]) -> str:
    """Say which folder holds one track alone, if any does."""
    inside = parts[0].folder.startswith(f"{track}/")
    folder = dataset / track if inside else (dataset / parts[0].folder).parent
    if not inside and (len(parts) > 1 or folder == dataset):
        return "move one of them to another folder"
    return f"give the folder of one of them as `dataset`, such as {folder}"


def not_there(dataset: Path, challenge: str, examples: Sequence[Part]) -> FileNotFoundError:
    """Return the error that says what a folder of a challenge should hold."""
    wanted = " or ".join(f"{part.protocol} and {part.folder}/" for part in examples)
    return FileNotFoundError(
        f"{dataset} does not hold {challenge} as published, such as {wanted}: give the folder that holds them."
    )


def read_parts(
    dataset: Path, parts: Sequence[Part], form: Form, enrolled: frozenset[str] = frozenset()
) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of the protocols that have a recording, with a column `file`, and notes.

    Parameters
    ----------
    dataset : Path
    parts : sequence of Part
    form : Form
    enrolled : frozenset of str
        Names of recordings that enrol speakers; they have no label, which is no mistake.

    Raises
    ------
    FileNotFoundError
        When no part is there.
    ValueError
        When a protocol is wrong, or no row has a recording.
    """
    tables, n_rows = [], 0
    notes: list[str] = []
    for part in parts:
        protocol, has_folder = part.find_protocol(dataset), (dataset / part.folder).is_dir()
        if protocol is None or not has_folder:
            notes.append(Finding(_note_on_missing(part, protocol, has_folder=has_folder)))
            continue
        rows = read_protocol(protocol, form)
        recordings, more = _without(find_recordings(dataset, [part.folder]), enrolled - set(rows[form.id]))
        joined, left_over = join_recordings(rows, recordings, column=form.id, what=protocol.name)
        tables.append(joined.assign(**{OFFICIAL: part.official}))
        notes += [*recordings.notes, *more, *left_over]
        n_rows += len(rows)
    places = " and ".join(f"{part.folder}/" for part in parts)
    if not tables:
        raise FileNotFoundError(f"{dataset} holds no part of the corpus with its recordings. {' '.join(notes)}")
    found = pd.concat(tables, ignore_index=True)
    if found.empty:
        raise ValueError(f"None of the {n_rows} rows of the protocols of {dataset} has a recording in {places}.")
    return found, notes


def as_listing(rows: pd.DataFrame, notes: Sequence[str], parts: Sequence[Part]) -> Listing:
    """Return the listing of the rows of protocols, in our words."""
    people = as_people(rows["speaker"], rows.get("gender"))
    system = rows["system"].where(rows["label"] == LABEL_NAMES[SPOOF], "").replace("-", "")
    rows = rows.drop(columns="trial").assign(system=system, **{str(name): cells for name, cells in people.items()})
    published = {part.official: part.published for part in parts}
    return Listing(as_files(rows), tuple(notes), has_protocol=True, published=published)


def _note_on_missing(part: Part, protocol: Path | None, *, has_folder: bool) -> str:
    if protocol is None:
        passed_over = f", so the recordings in {part.folder}/ are passed over" if has_folder else ""
        return f"The part {part.name} has no protocol {part.protocol}{passed_over}."
    return f"The part {part.name} has no folder {part.folder}/, so the rows of {protocol.name} are passed over."


def _without(recordings: Recordings, enrolled: Collection[str]) -> tuple[Recordings, list[str]]:
    """Take out the recordings that enrol speakers, and count them."""
    enrols = recordings.files["name"].isin(enrolled)
    note = note_on(
        "Recordings that enrol speakers and have no label, passed over", recordings.files["file"][enrols].tolist()
    )
    return replace(recordings, files=recordings.files[~enrols]), note
