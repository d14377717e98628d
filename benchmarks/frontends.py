"""How fast spectral features are computed: hours of sound a second, beside a plain loop and beside librosa.

    python -m benchmarks.frontends

In one run, in turn, on the same synthetic voices in memory, cut into clips of 2 to 12 s: lfcc, mfcc and logmel, and of
each clip the mean and the deviation over time, as a store keeps them:

(a) the plain loop: one clip after another, the whole clip at each step, in float64; lfcc in NumPy, mfcc and logmel by
    PyTorch's front end, with the threads that matrix products and transforms take by themselves;
(b) this project's backbone, which is given batches of clips of like length, as by an extraction;
(c) librosa, one clip after another, in its float32: like window, transform, filters and deltas.

Each way runs once on a few clips before it is measured. The table holds the median of the rounds, for an hour of sound;
the last column, by how much (b) differs from (a) at most, beside the largest number.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import librosa
import numpy as np
import torch
from scipy.fft import dct, rfft

from benchmarks.made_up import hardware
from src.audio.framing import frame_signal
from src.audio.voices import draw_voice, speak
from src.backbones import load_backbone
from src.backbones.contract import Backbone
from src.backbones.front_ends import FrontEnd, front_end
from src.backbones.lfcc import linear_filters
from src.backbones.mel import hann, mel_filters

RATE, FFT, HOP = 16_000, 512, 160
SHORTEST, LONGEST = 2.0, 12.0
MINUTES_OF_SPEECH = 2
"""From which clips are cut."""
KINDS = ("lfcc", "mfcc", "logmel")
WAYS = ("plain", "ours", "librosa")
WARM_UP_CLIPS = 8
FLOOR = 1e-10
Features = Callable[[np.ndarray], np.ndarray]
"""A waveform (n,) -> features (d, t)."""


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description="How fast spectral features are computed.")
    parser.add_argument("--minutes", type=float, default=60, help="of sound")
    parser.add_argument("--rounds", type=int, default=3, help="the median is printed")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS))
    options = parser.parse_args()
    clips = draw_clips(options.minutes, np.random.default_rng(7))
    hours = sum(map(len, clips)) / RATE / 3600
    print(f"{len(clips)} clips, {hours * 60:.1f} minutes of sound; {hardware('cpu')}")
    print(f"{'':8}{'an hour: (a)':>14}{'(b)':>9}{'(c)':>9}{'hours/s: (b)':>14}{'a/b':>6}{'c/b':>6}{'apart':>9}")
    for kind in options.kinds:
        seconds, found = measure(kind, clips, options.rounds)
        print(table_line(kind, {way: seconds[way] / hours for way in WAYS}, apart(found["plain"], found["ours"])))


def draw_clips(minutes: float, rng: np.random.Generator) -> list[np.ndarray]:
    """Cut clips of 2 to 12 s out of synthetic speech until there are so many minutes; float32, the shortest first."""
    speech = speak(draw_voice("F", rng), 60 * MINUTES_OF_SPEECH, rng).astype(np.float32)
    clips: list[np.ndarray] = []
    missing = minutes * 60
    while missing > 0:
        seconds = rng.uniform(SHORTEST, LONGEST)
        start = rng.integers(0, len(speech) - int(seconds * RATE))
        clips.append(speech[start : start + int(seconds * RATE)])
        missing -= seconds
    return sorted(clips, key=len)


def measure(kind: str, clips: Sequence[np.ndarray], rounds: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Return for each way the median of its seconds, and the statistics of the clips, shape (b, 2, d)."""
    ways = ways_of(kind)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, np.ndarray] = {}
    for way in ways.values():
        way(clips[:WARM_UP_CLIPS])
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            found[name] = way(clips)
            taken[name].append(time.perf_counter() - started)
    return {name: float(np.median(times)) for name, times in taken.items()}, found


def ways_of(kind: str) -> dict[str, Callable[[Sequence[np.ndarray]], np.ndarray]]:
    """Return what is timed, by name; each turns b clips into statistics (b, 2, d)."""
    plain = plain_lfcc if kind == "lfcc" else partial(by_torch, front_end(kind, torch.float64))
    return {
        "plain": partial(one_by_one, plain),
        "ours": partial(by_backbone, load_backbone(kind)),
        "librosa": partial(one_by_one, librosa_features(kind)),
    }


def one_by_one(features: Features, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Compute one clip after another."""
    found = map(features, clips)
    return np.array([[frames.mean(axis=1), frames.std(axis=1)] for frames in found], dtype=np.float32)


def by_backbone(backbone: Backbone, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Give a backbone batch after batch of clips that ascend in length, as an extraction does."""
    batches: list[list[np.ndarray]] = []
    for clip in clips:
        if not batches or (len(batches[-1]) + 1) * len(clip) > backbone.batch_seconds * RATE:
            batches.append([])
        batches[-1].append(clip)
    return np.concatenate([backbone.statistics(batch)[0][:, 0] for batch in batches])


def plain_lfcc(waveform: np.ndarray) -> np.ndarray:
    """Compute LFCC as a reader of the paper would write them down; (120, t), float64."""
    waveform = waveform.astype(np.float64)
    emphasised = np.append(waveform[:1], waveform[1:] - 0.97 * waveform[:-1])
    power = np.abs(rfft(frame_signal(emphasised, 320, HOP) * np.hamming(320), FFT)) ** 2
    cepstra = dct(np.log(power @ linear_filters().T + FLOOR), norm="ortho", axis=1)
    deltas = plain_delta(cepstra)
    return np.hstack([cepstra, deltas, plain_delta(deltas)]).T


def plain_delta(features: np.ndarray) -> np.ndarray:
    """Return half the difference between the next frame and the one before, (t, d)."""
    padded = np.pad(features, ((1, 1), (0, 0)), mode="edge")
    return (padded[2:] - padded[:-2]) / 2


def by_torch(module: FrontEnd, waveform: np.ndarray) -> np.ndarray:
    """Compute features by a front end, as detectors do; (d, t), float64."""
    with torch.inference_mode():
        return module(torch.from_numpy(waveform.astype(np.float64))[None])[0].numpy()


def librosa_features(kind: str) -> Features:
    """Return the features of a kind put together from librosa, float32."""
    if kind == "logmel":
        return librosa_log_mel
    filters = linear_filters() if kind == "lfcc" else mel_filters(40)
    return partial(librosa_cepstra, filters.astype(np.float32))


def librosa_cepstra(filters: np.ndarray, waveform: np.ndarray) -> np.ndarray:
    """Return 40 cepstra, deltas and double deltas, (120, t)."""
    emphasised = librosa.effects.preemphasis(waveform, coef=0.97)
    spectrum = librosa.stft(emphasised, n_fft=FFT, hop_length=HOP, win_length=320, window=np.hamming(320), center=False)
    energies = np.log(filters @ np.abs(spectrum) ** 2 + np.float32(FLOOR))
    cepstra = librosa.feature.mfcc(S=energies, n_mfcc=40, norm="ortho")
    deltas = librosa.feature.delta(cepstra, width=3, mode="nearest")
    return np.vstack([cepstra, deltas, librosa.feature.delta(deltas, width=3, mode="nearest")])


def librosa_log_mel(waveform: np.ndarray) -> np.ndarray:
    """Return the logarithms of the energies in 80 bands, (80, t)."""
    energies = librosa.feature.melspectrogram(
        y=waveform, sr=RATE, n_fft=FFT, hop_length=HOP, win_length=400, window=hann(400), center=False,
        n_mels=80, htk=True, norm=None,
    )  # fmt: skip
    return np.log(energies + np.float32(FLOOR))


def apart(expected: np.ndarray, found: np.ndarray) -> float:
    """Return the largest difference, beside the largest number."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def table_line(kind: str, seconds: dict[str, float], difference: float) -> str:
    """Return the line of a kind from the seconds that each way takes for an hour of sound."""
    plain, ours, others = (seconds[way] for way in WAYS)
    times = f"{plain:12.2f} s{ours:7.2f} s{others:7.2f} s{1 / ours:14.2f}"
    return f"{kind:8}{times}{plain / ours:6.1f}{others / ours:6.1f}{difference:9.0e}"


if __name__ == "__main__":
    main()
