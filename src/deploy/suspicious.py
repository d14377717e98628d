"""Keep what a stream sounded suspicious in: a folder of clips for a human to label, and then to train on.

    <folder>/clips/<recording>/<start>-<end>.flac       16 kHz, mono, start and end in seconds of the stream
    <folder>/suspicious.csv                             file, label, speaker, source, start, end, lowest, mean, run

A suspicion is no label: a run that trains on its own guesses learns its own mistakes. So the column `label` stays empty
until somebody has listened and writes `spoof` or `bona-fide` there, false alarms included, which teach the most; rows
that nobody can judge are deleted. Until then GenerateDatasetCSV refuses the table and names the first row without a
label. Windows overlap, so a clip begins and ends with up to a window of other sound: of clips that are partly spoofed
a column `segments` may say where.

    fab GenerateDatasetCSV --dataset=FOLDER --layout=generic --table=FOLDER/suspicious.csv

Every recording, by its contents, and every live stream is a person of its own in the column `speaker`, because nobody
knows who speaks: clips of one stay on one side of a split. `lowest` and `mean` are of the scores of the windows that
end within the clip.

The folder is bounded. When it is full, no more is kept, and that is told: dropping the oldest would drop what somebody
may just have labelled. Long alarms are cut into clips of at most ten seconds, so that memory is bounded as well.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from src.audio.io import SPEECH_RATE, UnusableAudio, save_waveform
from src.audio.sliding import mono
from src.backbones.clips import window_edges
from src.utils.files import atomic_path

TABLE, CLIPS = "suspicious.csv", "clips"
COLUMNS = ("file", "label", "speaker", "source", "start", "end", "lowest", "mean", "run")
CLIP_SECONDS = 10
HEADER_BYTES = 10_000
"""Of a FLAC file, at most; its sound is never larger than 16-bit samples."""


@dataclass(frozen=True)
class Origin:
    """Where suspicious sound comes from."""

    person: str
    """One for each recording or live stream, without a word that could be a label."""
    source: str
    run: str


@dataclass
class SuspiciousFolder:
    """A folder that clips of one stream are added to; several streams may share a folder, one after another.

    Raises
    ------
    ValueError
        When the folder holds something else, or its size is no size.
    """

    folder: Path
    origin: Origin
    megabytes: float = 500.0
    n_kept: int = 0
    n_refused: int = 0
    """Clips that found no room."""
    _samples: list[np.ndarray] = field(default_factory=list)
    _scores: list[tuple[int, float]] = field(default_factory=list)
    """End of a window in samples, and its score."""
    _start: int = 0

    def __post_init__(self) -> None:
        if not self.megabytes > 0:
            raise ValueError(f"`log_megabytes` must be above 0, not {self.megabytes:g}.")
        table = self.folder / TABLE
        if not table.is_file():
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise ValueError(
                    f"{self.folder} is not empty and holds no {TABLE}: give `log_suspicious` a folder of its own."
                )
            self._append(COLUMNS)
        with table.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file)) or [[]]
        if tuple(header[: len(COLUMNS)]) != COLUMNS:
            raise ValueError(f"{table} has the columns {', '.join(header)}, not {', '.join(COLUMNS)}, ...")
        self._listed = {row[0] for row in rows if row}
        self._n_more = len(header) - len(COLUMNS)
        self._n_bytes = sum(path.stat().st_size for path in (self.folder / CLIPS).rglob("*.flac"))

    def extend(self, start: int, samples: np.ndarray, end: int, score: float) -> None:
        """Add samples of shape (n, channels), which begin at `start`, and the score of a window that ends at `end`."""
        if not self._samples:
            self._start = start
        self._samples.append(samples)
        self._scores.append((end, score))
        if sum(map(len, self._samples)) >= 2 * CLIP_SECONDS * SPEECH_RATE:
            self._write(CLIP_SECONDS * SPEECH_RATE)

    def close(self) -> None:
        """Write what is left of a stretch, in equal clips of at most ten seconds."""
        n_samples = sum(map(len, self._samples))
        edges = window_edges(n_samples, CLIP_SECONDS * SPEECH_RATE) if n_samples else []
        for start, stop in pairwise(edges):
            self._write(stop - start)
        self._samples, self._scores = [], []

    def _write(self, n_samples: int) -> None:
        """Write the first samples of what is collected as a clip."""
        samples = np.concatenate(self._samples)
        start, end = self._start, self._start + n_samples
        scores = [score for at, score in self._scores if at <= end] or [self._scores[0][1]]
        self._samples, self._start = [samples[n_samples:]], end
        self._scores = [(at, score) for at, score in self._scores if at > end] or self._scores[-1:]
        name = "-".join(f"{at / SPEECH_RATE:09.3f}" for at in (start, end))
        file = f"{CLIPS}/{self.origin.person}/{name}.flac"
        if file in self._listed and (self.folder / file).exists():  # the same recording once more
            return
        if self._n_bytes + 2 * n_samples + HEADER_BYTES > self.megabytes * 1e6:
            self.n_refused += 1
            return
        self._keep(file, (start, end), samples[:n_samples], scores)

    def _keep(self, file: str, place: tuple[int, int], samples: np.ndarray, scores: Sequence[float]) -> None:
        try:
            waveform = mono(samples)
        except UnusableAudio:  # nothing is left of it once its channels are mixed over this stretch
            return
        with atomic_path(self.folder / file) as temporary:
            save_waveform(temporary, waveform)
        self._n_bytes += (self.folder / file).stat().st_size
        self.n_kept += 1
        seconds = [f"{at / SPEECH_RATE:.3f}" for at in place]
        numbers = [f"{value:.4f}" for value in (min(scores), sum(scores) / len(scores))]
        about = self.origin
        self._listed.add(file)
        self._append([file, "", about.person, about.source, *seconds, *numbers, about.run, *[""] * self._n_more])

    def _append(self, cells: Sequence[str]) -> None:
        """Append a row in one write, so that a reader never finds half of it."""
        table, line = self.folder / TABLE, io.StringIO()
        if table.is_file() and not table.read_bytes().endswith((b"\n", b"\r")):
            line.write("\n")  # some editors leave the last line without an end
        csv.writer(line, lineterminator="\n").writerow(cells)
        self.folder.mkdir(parents=True, exist_ok=True)
        with table.open("a", encoding="utf-8", newline="") as file:
            file.write(line.getvalue())
