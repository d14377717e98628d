"""A detector in the form of the public speech anti-spoofing arena: 16 kHz mono float32 in, higher = bona fide out.

`fab ExportArena` copies this file as it is into a folder, beside the run that it scores with and `manifest.json`, which
names the run. AUDIOS must be importable, as `src`: install it, or start from its checkout.

    from arena_detector import Detector

    detector = Detector()
    score = detector.score(waveform)         # (n,) float32 at 16 kHz, mono

The arena scores the first 64,600 samples of every trial, and so does the detector; `n_samples=None` scores all of it.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from src.audio.io import SPEECH_RATE
from src.deploy.judge import open_judge
from src.experiments.runs.names import RunName
from src.experiments.training.trained import read_trained

ARENA_SAMPLES = 64_600
"""How much of every trial the arena scores: 4.04 s at 16 kHz."""
MANIFEST = "manifest.json"


class Detector:
    """A run, ready to score waveforms.

    Parameters
    ----------
    folder : Path, optional
        Holds `manifest.json` and `runs/`; the folder of this file when it is not given.
    n_samples : int, optional
        How many samples of every waveform are scored, from its start; None = all.
    model : str, optional
        Folder of the backbone's model, where the run's was a local one.
    device : str
        "auto", "cpu", "cuda" or "cuda:1".
    """

    sample_rate = SPEECH_RATE

    def __init__(
        self,
        folder: Path | None = None,
        *,
        n_samples: int | None = ARENA_SAMPLES,
        model: str | None = None,
        device: str = "auto",
    ) -> None:
        place = folder or Path(__file__).resolve().parent
        self.name = str(json.loads((place / MANIFEST).read_text(encoding="utf-8"))["run"])
        self.n_samples = n_samples
        trained = read_trained(place, RunName.parse(self.name))
        self._judge = open_judge(trained, root=place, model=model, device=device)
        self.threshold = self._judge.threshold

    def score(self, waveform: np.ndarray, sample_rate: int = SPEECH_RATE) -> float:
        """Return the score of a waveform (n,), higher = bona fide; a log-likelihood ratio.

        Raises
        ------
        ValueError
            When it is not mono, or not at 16 kHz, or cannot be used: silent, too short, not finite.
        """
        return float(self.scores([waveform], sample_rate)[0])

    def scores(self, waveforms: Sequence[np.ndarray], sample_rate: int = SPEECH_RATE) -> np.ndarray:
        """Return the scores of waveforms, shape (n,); raises as `score` does."""
        if sample_rate != self.sample_rate:
            raise ValueError(f"Waveforms must be at {self.sample_rate} Hz, not {sample_rate}: resample them.")
        for waveform in waveforms:
            if np.ndim(waveform) != 1:
                raise ValueError(f"A waveform must have the shape (n,), mono, not {np.shape(waveform)}.")
        cut = [np.asarray(waveform, dtype=np.float32)[: self.n_samples] for waveform in waveforms]
        return self._judge.score(cut)

    __call__ = score
