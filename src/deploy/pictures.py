"""The picture of a prediction: waveform, spectrogram, and the run's score in windows over time.

Windows are 2 s long (a shorter recording is one window), half a second apart; of a long recording there are 240, spread
evenly. A window has less to go by than the whole, and the run was calibrated on whole clips: read the course of the
line, not a single point. A silent window has no score.

Waveform and spectrogram have at most a thousand columns; of a column longer than 2 s its first 2 s are drawn. So the
picture of a recording of hours takes no more memory than that of one of minutes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from src.audio.cues import power_spectrogram
from src.audio.io import SPEECH_RATE, UnusableAudio, count_samples, load_stretches, load_waveform
from src.deploy.judge import WHOLE_SECONDS, Judge
from src.deploy.predict import Prediction
from src.experiments.runs.artefacts import save_figure
from src.visualize.prediction import Heard, prediction_figure

WINDOW_SECONDS, HOP_SECONDS = 2.0, 0.5
MOST_WINDOWS = 240
MOST_COLUMNS, COLUMN_SECONDS = 1000, 0.004
DRAWN = 2 * SPEECH_RATE
"""Samples of a column, at most."""
SPECTRUM = 512
"""Samples that a spectrum needs."""


def draw_prediction(judge: Judge, prediction: Prediction, picture: Path) -> None:
    """Write the picture of a recording that was judged."""
    save_figure(
        picture, prediction_figure(hear(judge, Path(prediction.file)), judge.threshold, title=_title(prediction))
    )


def pictures_of(paths: Sequence[Path], folder: Path) -> dict[str, Path]:
    """Return recording -> its picture in a folder, named after it; of equal names the later ones get numbers.

    >>> pictures_of([Path("a/x.wav"), Path("b/x.wav")], Path("out"))["b/x.wav"].as_posix()
    'out/x.wav-2.png'
    """
    taken = Counter[str]()
    pictures = {}
    for path in paths:
        taken[path.name] += 1
        number = f"-{taken[path.name]}" if taken[path.name] > 1 else ""
        pictures[str(path)] = folder / f"{path.name}{number}.png"
    return pictures


def hear(judge: Judge, path: Path) -> Heard:
    """Return what is drawn of a recording."""
    n_samples = count_samples(path)
    spans, edges = window_spans(n_samples), _column_edges(n_samples)
    scores = [_score(judge, window) for window in _cut(path, n_samples, spans)]
    # A spectrum needs more samples than a narrow column has, and a wide column more than it is worth to read.
    wide = [(start, max(min(stop, start + DRAWN), start + SPECTRUM)) for start, stop in pairwise(edges)]
    extremes, powers = list[tuple[float, float]](), list[np.ndarray]()
    for sound, n_own in zip(_cut(path, n_samples, wide), np.diff(edges), strict=True):
        extremes.append((sound[:n_own].min(), sound[:n_own].max()))
        powers.append(power_spectrogram(sound).mean(axis=0))
    windows = np.array(spans) / SPEECH_RATE
    return Heard(n_samples / SPEECH_RATE, np.array(extremes), np.array(powers), SPEECH_RATE, windows, np.array(scores))


def window_spans(n_samples: int) -> list[tuple[int, int]]:
    """Return where the windows of a recording begin and end, in samples at 16 kHz.

    >>> window_spans(16_000), len(window_spans(10 * 3600 * 16_000))
    ([(0, 16000)], 240)
    """
    length = min(n_samples, int(WINDOW_SECONDS * SPEECH_RATE))
    count = 1 + min(MOST_WINDOWS - 1, int((n_samples - length) / (HOP_SECONDS * SPEECH_RATE)))
    starts = np.linspace(0, n_samples - length, count).astype(int)
    return [(int(start), int(start) + length) for start in starts]


def _score(judge: Judge, window: np.ndarray) -> float:
    try:
        return float(judge.score([window])[0])
    except UnusableAudio:
        return np.nan


def _column_edges(n_samples: int) -> list[int]:
    count = max(1, min(MOST_COLUMNS, round(n_samples / SPEECH_RATE / COLUMN_SECONDS)))
    return [n_samples * edge // count for edge in range(count + 1)]


def _cut(path: Path, n_samples: int, spans: list[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Yield stretches of a recording, which is held in memory where it is not long."""
    if n_samples > WHOLE_SECONDS * SPEECH_RATE:
        return load_stretches(path, spans)
    waveform = load_waveform(path)
    return (waveform[start:stop] for start, stop in spans)


def _title(prediction: Prediction) -> str:
    score = f"score {prediction.score:.2f}" if prediction.score is not None else ""
    return f"{Path(prediction.file).name}: {prediction.decision}, {score}"
