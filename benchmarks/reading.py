"""What reading costs: clips as files and in tars from a cold disk, and the windows of long recordings.

    python -m benchmarks.reading

Clips are removed from the system's memory before they are read, by all reading processes, in the batches of an
extraction. Beside the seconds stand the bytes that came from the disk, over the bytes that there are: 1.0 means that
everything was read once. Windows of 30 s are read one by one, as several processes would, and in one pass.
"""

import argparse
import os
import tarfile
import tempfile
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import soundfile

from benchmarks.made_up import hardware
from src.audio.io import count_samples, load_stretch, load_stretches
from src.audio.storage.places import in_reading_order, stretches_of
from src.audio.storage.tars import read_index
from src.experiments.extraction.batches import gather_by_stretch
from src.experiments.extraction.readers import read_ahead, read_lengths

RATE = 16_000
WINDOW = 30 * RATE
KINDS = ("wav", "flac", "mp3", "ogg", "m4a", "gsm")


def main() -> None:
    """Measure everything and print the tables."""
    parser = argparse.ArgumentParser(description="What reading costs.")
    parser.add_argument("--clips", type=int, default=2000, help="of 4 s")
    parser.add_argument("--clips-per-tar", type=int, default=1000)
    parser.add_argument("--minutes", default="10,20", help="of the long recordings")
    parser.add_argument("--folder", type=Path, help="where clips are written: on the disk to be measured")
    options = parser.parse_args()
    print(hardware("cpu"))
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        write_clips(folder, options.clips, options.clips_per_tar)
        read_lengths(folder / "warm_up", ["0.flac"] * 64)  # the reading processes start
        for kind in ("files", "tars"):
            seconds, share = read_cold(folder / kind)
            print(f"{options.clips} clips in {kind}: {seconds:.1f} s, {share:.2f} of the bytes read from the disk")
        started = time.perf_counter()
        n_members = sum(len(read_index(tar).names) for tar in (folder / "tars").iterdir())
        print(f"index of {n_members} members: {time.perf_counter() - started:.2f} s")
        for kind in KINDS:
            for minutes in map(float, options.minutes.split(",")):
                one_by_one, in_one_pass = read_windows(write_long(folder, kind, minutes))
                print(f"{kind}, {minutes:g} min: {one_by_one:.2f} s one by one, {in_one_pass:.2f} s in one pass")


def write_clips(folder: Path, n_clips: int, clips_per_tar: int) -> None:
    """Write the same clips of 4 s as files and in tars."""
    rng = np.random.default_rng(7)
    for name in ("files", "tars", "warm_up"):
        (folder / name).mkdir()
    sound = (0.1 * rng.standard_normal(40 * RATE)).clip(-1, 1)
    soundfile.write(folder / "warm_up" / "0.flac", sound[:RATE], RATE)
    for number in range(n_clips):
        start, length = int(rng.integers(30 * RATE)), int(rng.uniform(2, 6) * RATE)
        soundfile.write(folder / "files" / f"{number:06d}.flac", sound[start : start + length], RATE)
    for first in range(0, n_clips, clips_per_tar):
        with tarfile.open(folder / "tars" / f"shard-{first // clips_per_tar:06d}.tar", "w") as tar:
            for number in range(first, min(n_clips, first + clips_per_tar)):
                tar.add(folder / "files" / f"{number:06d}.flac", f"{number:06d}.flac")


def read_cold(folder: Path) -> tuple[float, float]:
    """Read all clips as an extraction does; return the seconds and the share of the bytes that came from the disk."""
    files = [
        f"{path.name}/{name}" if path.suffix == ".tar" else path.name
        for path in sorted(folder.iterdir())
        for name in ([name for name, *_ in read_index(path).in_order()] if path.suffix == ".tar" else [""])
    ]
    lengths = read_lengths(folder, in_reading_order(folder, files))
    units = gather_by_stretch(
        {file: length.samples(RATE) for file, length in lengths.items()},
        stretches=stretches_of(folder, files),
        batch_samples=60 * RATE,
        window_samples=1e9,
    )
    forget(folder.iterdir())
    before, started = from_disk(), time.perf_counter()
    for _ in read_ahead(folder, [batch for unit in units for batch in unit], rate=RATE, min_samples=1):
        pass
    seconds = time.perf_counter() - started
    return seconds, (from_disk() - before) / sum(path.stat().st_size for path in folder.iterdir())


def forget(paths: Iterable[Path]) -> None:
    """Remove files from the system's memory (Linux)."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def from_disk() -> int:
    """Return the bytes that this process and its children have had read from disks."""
    process = psutil.Process()
    return sum(each.io_counters().read_bytes for each in (process, *process.children(recursive=True)))


def write_long(folder: Path, kind: str, minutes: float) -> Path:
    """Write a recording of many minutes."""
    sound = (0.1 * np.random.default_rng(7).standard_normal(int(minutes * 60 * RATE))).astype(np.float32)
    path = folder / f"{minutes:g}.{'wav' if kind == 'gsm' else kind}"
    if kind != "m4a":
        with soundfile.SoundFile(path, "w", RATE, 1, subtype="GSM610" if kind == "gsm" else None) as file:
            for start in range(0, len(sound), 2**16):  # the encoder of Ogg fails at long pieces
                file.write(sound[start : start + 2**16])
        return path
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for start in range(0, len(sound), 10 * RATE):
            frame = av.AudioFrame.from_ndarray(sound[None, start : start + 10 * RATE], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_windows(path: Path) -> tuple[float, float]:
    """Return the seconds that all windows of a recording take, one by one and in one pass."""
    spans = list(pairwise([*range(0, count_samples(path), WINDOW), count_samples(path)]))
    seconds = []
    for read in (lambda: [load_stretch(path, *span) for span in spans], lambda: list(load_stretches(path, spans))):
        started = time.perf_counter()
        read()
        seconds.append(time.perf_counter() - started)
    return seconds[0], seconds[1]


if __name__ == "__main__":
    main()
