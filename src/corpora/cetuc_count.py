"""Compare the counts of a prepared CETUC + Fake Voices corpus with those that its makers published.

A difference is reported and is not an error: the corpus may have changed, and a part of it can be used too. How many
clips are bona fide was never published, so only the total number of clips can be compared.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from src.corpora.audios import FAKE_FOLDER, REAL_FOLDER, recordings_in
from src.corpora.cetuc_layout import MUTE_CLIPS, speaker_id

N_PEOPLE = 101
N_SPOOFED_PEOPLE = 91
N_CLIPS = 179_812
N_REMARKS_SHOWN = 20


@dataclass(frozen=True)
class CountCheck:
    """The counts of a corpus folder; `str()` gives the report."""

    people: int
    """People with bona fide clips."""
    spoofed_people: int
    """Those of them who have spoofs too."""
    genuine_clips: int
    spoof_clips: int
    without_spoofs: tuple[str, ...] = ()
    """Folder names of the people without spoofs; they go to the test split."""
    remarks: tuple[str, ...] = ()
    """What was left out or looks wrong, one line each."""

    @property
    def clips(self) -> int:
        """All clips, bona fide and spoof."""
        return self.genuine_clips + self.spoof_clips

    @property
    def as_published(self) -> bool:
        """Whether the numbers of people and clips are the published ones."""
        return (self.people, self.spoofed_people, self.clips) == (N_PEOPLE, N_SPOOFED_PEOPLE, N_CLIPS)

    def __str__(self) -> str:
        rows = [
            ("", "expected", "found"),
            ("people", f"{N_PEOPLE:,}", f"{self.people:,}"),
            ("people with spoofs", f"{N_SPOOFED_PEOPLE:,}", f"{self.spoofed_people:,}"),
            ("people without spoofs", f"{N_PEOPLE - N_SPOOFED_PEOPLE:,}", f"{len(self.without_spoofs):,}"),
            ("genuine clips", "-", f"{self.genuine_clips:,}"),
            ("spoof clips", "-", f"{self.spoof_clips:,}"),
            ("clips in all", f"{N_CLIPS:,}", f"{self.clips:,}"),
        ]
        lines = [f"{name:<22}{expected:>10}{found:>10}" for name, expected, found in rows]
        if self.without_spoofs:
            lines.append(f"Without spoofs: {', '.join(self.without_spoofs)}.")
        lines.append(
            "The counts match the published ones."
            if self.as_published
            else "The counts differ from the published ones: a part is missing, or the corpus has changed."
        )
        lines += [f"- {remark}" for remark in self.remarks[:N_REMARKS_SHOWN]]
        if len(self.remarks) > N_REMARKS_SHOWN:
            lines.append(f"- and {len(self.remarks) - N_REMARKS_SHOWN} more remarks")
        return "\n".join(lines)


def count_corpus(corpus: Path, remarks: Sequence[str] = ()) -> CountCheck:
    """Count the people and clips of a corpus in the AUDIOS layout; add a remark on whatever looks wrong in it."""
    genuine = _clips_by_folder(corpus / REAL_FOLDER)
    spoofs = _clips_by_folder(corpus / FAKE_FOLDER)
    both = [person for person in genuine if f"{person}_Fake" in spoofs]
    remarks = list(remarks)
    for side, folders in ((REAL_FOLDER, genuine), (FAKE_FOLDER, spoofs)):
        ids = Counter(map(speaker_id, folders))
        unknown = [folder for folder in folders if not speaker_id(folder)]
        remarks += [f"{side}/{folder}: no speaker id such as F028 in its name" for folder in unknown]
        remarks += [f"{side}: {person} has {n} folders; keep one" for person, n in ids.items() if person and n > 1]
    remarks += [
        f"{FAKE_FOLDER}/{folder}: spoofs of somebody without bona fide clips"
        for folder in spoofs
        if folder.removesuffix("_Fake") not in genuine
    ]
    remarks += [
        f"{REAL_FOLDER}/{folder}/{clip}: is silent, delete it"
        for folder in genuine
        for clip in MUTE_CLIPS
        if (corpus / REAL_FOLDER / folder / clip).exists()
    ]
    return CountCheck(
        people=len(genuine),
        spoofed_people=len(both),
        genuine_clips=sum(genuine.values()),
        spoof_clips=sum(spoofs.values()),
        without_spoofs=tuple(person for person in genuine if person not in both),
        remarks=tuple(remarks),
    )


def _clips_by_folder(side: Path) -> dict[str, int]:
    """Return folder name -> number of clips, for the folders of one side that hold any."""
    if not side.is_dir():
        return {}
    folders = sorted(path for path in side.iterdir() if path.is_dir() and not path.name.startswith("."))
    counts = {folder.name: len(recordings_in(folder)) for folder in folders}
    return {name: n for name, n in counts.items() if n}
