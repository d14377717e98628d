"""Backbones as modules give the statistics that a store keeps, at every length."""

from pathlib import Path

import numpy as np
import pytest
import torch

from src.backbones import load_backbone
from src.backbones.clips import clip_statistics
from src.deploy.exporting.frames import Pooled, frames_module
from tests.backbones.conftest import SaveModel, save_spectral  # noqa: F401 (a fixture)
from tests.detectors.small_models import save_small, save_small_whisper

pytestmark = pytest.mark.usefixtures("one_thread")
CASES = [
    ("wav2vec2", "base", None, "0,2"),
    ("wav2vec2", "large", None, None),
    ("wavlm", "base", None, "3"),
    ("whisper", "", None, "1,3"),
    ("whisper", "", "own", "2"),
]


@pytest.mark.parametrize(("family", "shape", "window", "layers"), CASES)
def test_statistics_are_those_of_the_backbone(
    family: str, shape: str, window: str | None, layers: str | None, tmp_path: Path
) -> None:
    folder = save_small_whisper(tmp_path / "m") if family == "whisper" else save_small(tmp_path / "m", family, shape)
    ours, own = (
        load_backbone(family, str(folder), device="cpu", precision="fp32", layers=layers, window=window)
        for _ in range(2)
    )
    module = Pooled(frames_module(own), (0, 1), mixes=True)
    for n_samples in (800, 9_600, 31_999):
        clip = 0.1 * np.random.default_rng(n_samples).standard_normal(n_samples).astype(np.float32)
        expected = clip_statistics(ours, clip)[0]
        with torch.no_grad():
            mine = module(torch.from_numpy(clip[None]))[0].numpy()
        np.testing.assert_allclose(mine, expected.reshape(len(expected), -1), rtol=1e-3, atol=1e-4)


def test_features_that_another_library_computes_are_refused(save_spectral: SaveModel, tmp_path: Path) -> None:  # noqa: F811
    backbone = load_backbone("ast", str(save_spectral(tmp_path / "ast", "ast")), device="cpu", precision="fp32")
    with pytest.raises(ValueError, match="Embeddings of ast cannot be exported"):
        frames_module(backbone)
