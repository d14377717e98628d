"""What the size small stands for in tests: encoders that are trained in a second."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.pretraining import encoders
from src.utils.waveform_table import WaveformTable

SMALLER = {
    "SMALL_CONV": {
        "conv_dim": (16,) * 7,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 2,
        "num_codevectors_per_group": 8,
        "codevector_dim": 8,
        "proj_codevector_dim": 8,
    },
    "SMALL_MEL": {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32},
}
"""What "small" stands for in tests."""


def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let encoders of the size small be tiny."""
    for name, settings in SMALLER.items():
        monkeypatch.setattr(encoders, name, settings)


def table_of(folder: Path, seconds: Sequence[float]) -> WaveformTable:
    """Write clips of noise, each of its own seconds and by its own person, and return their table."""
    rng = np.random.default_rng(0)
    count = len(seconds)
    paths = [folder / f"{number}.wav" for number in range(count)]
    for path, length in zip(paths, seconds, strict=True):
        soundfile.write(path, 0.1 * rng.standard_normal(round(length * 16_000)), 16_000, subtype="FLOAT")
    return WaveformTable(
        labels=np.arange(count) % 2,
        genders=np.array(["F", "M"] * count)[:count],
        speakers=np.array([f"Person{number:02d}_F{number:03d}" for number in range(count)]),
        systems=np.full(count, ""),
        files=np.array([path.name for path in paths]),
        paths=np.array(list(map(str, paths))),
        segments=np.full(count, ""),
        originals=np.full(count, ""),
        teacher_scores=np.full(count, np.nan),
    )
