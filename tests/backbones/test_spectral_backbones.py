"""The backbones mfcc, logmel and cqcc: front ends behind the contract of all backbones, and into a store."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from src.audio.io import load_waveform
from src.backbones import BACKBONES, CPU_ONLY, identify_backbone, load_backbone
from src.backbones.constant_q import BINS, EAR_OFFSET, OCTAVES, POINTS_OF_FIRST_OCTAVE, POWER_FLOOR
from src.backbones.front_ends import front_end
from src.backbones.spectral import KINDS
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import SplitShares, split_dataset
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.utils.embeddings import load_embeddings

REPOSITORY = Path(__file__).resolve().parents[2]
SPLIT = "downstream_train"
GOLDEN = {
    "mfcc": [4.30622, -15.3284, 0.79632, -0.06471],
    "logmel": [0.73523, 0.53052, 1.77218, 2.33102],
    "cqcc": [-1015.67981, -48.81968, 0.98721, -5.79255],
}
"""Some features of the tone below: who changes a setting must change its words in the identity as well."""


def noise(n: int, seed: int = 0) -> np.ndarray:
    """Return noise of a tenth of full scale."""
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(np.float32)


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_the_features_of_the_front_end(name: str) -> None:
    backbone = load_backbone(name)
    module = front_end(name)
    for samples in (100, 5000):
        frames = backbone.frames(noise(samples))
        assert frames.dtype == np.float32
        expected = module(torch.from_numpy(noise(samples))[None]).transpose(1, 2)
        np.testing.assert_allclose(frames, expected, rtol=0, atol=1e-3)
    assert (backbone.dimension, backbone.min_samples) == (module.n_features, module.min_samples)


@pytest.mark.parametrize("name", KINDS)
def test_statistics_are_mean_and_population_deviation_whatever_stands_beside(name: str) -> None:
    backbone = load_backbone(name)
    clips = [noise(n, seed) for seed, n in enumerate((400, 5000, 16_000, 500))]
    pooled, counts = backbone.statistics(clips)
    assert pooled.shape == (4, 1, 2, backbone.dimension)
    assert pooled.dtype == np.float32
    for clip, statistics, count in zip(clips, pooled, counts, strict=True):
        (frames,) = backbone.frames(clip).astype(np.float64)
        assert count == len(frames) == 1 + (len(clip) - backbone.min_samples) // 160
        np.testing.assert_allclose(statistics[0], [frames.mean(axis=0), frames.std(axis=0)], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(backbone.statistics([clip])[0][0], statistics)
        np.testing.assert_array_equal(backbone.begin([clip])()[0][0], statistics)


@pytest.mark.parametrize("name", KINDS)
def test_identity_is_known_without_loading_and_agrees_with_the_shapes(name: str) -> None:
    backbone = load_backbone(name)
    identity = json.loads(json.dumps(backbone.identity()))
    assert identity == identify_backbone(name)
    assert (identity["backbone"], identity["rate"], identity["layers"]) == (name, 16_000, [0])
    assert identity["dimension"] == backbone.dimension


@pytest.mark.parametrize("name", KINDS)
def test_numbers_stay_what_they_are(name: str) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(3200) / 16_000) + noise(3200, seed=5)
    (frames,) = load_backbone(name).frames(tone)
    np.testing.assert_allclose(frames[5, [0, 1, 39, -1]], GOLDEN[name], rtol=1e-4, atol=1e-4)


def test_words_of_the_constant_q_identity_are_its_settings() -> None:
    assert KINDS["cqcc"].settings == (
        f"{OCTAVES} octaves of {BINS} bins below 8000 Hz, offset {EAR_OFFSET} Hz, hop 160, "
        f"{POINTS_OF_FIRST_OCTAVE} points in the first octave, floor {POWER_FLOOR:g}"
    )


@pytest.mark.parametrize("name", KINDS)
def test_options_that_they_do_not_have_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has no models to choose from; leave out `model=x`"):
        load_backbone(name, "x")
    with pytest.raises(ValueError, match=f"{name} knows no precision 'bf16'"):
        load_backbone(name, precision="bf16")
    with pytest.raises(ValueError, match=f"{name} runs on the CPU; leave out `device=cuda`"):
        identify_backbone(name, device="cuda")
    with pytest.raises(ValueError, match="There is no layer 1: this model has the layers 0 to 0"):
        load_backbone(name, layers="0-1")


def test_those_that_run_on_the_cpu_only_are_named() -> None:
    assert set(CPU_ONLY) == {"lfcc", *KINDS}
    assert set(CPU_ONLY) < set(BACKBONES)


def test_a_finished_store_is_recognised_without_torch() -> None:
    code = (
        "import sys; from src.backbones import identify_backbone; "
        f"[identify_backbone(name) for name in {list(KINDS)}]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize("name", KINDS)
def test_a_store_holds_what_each_clip_gives_alone(name: str, make_corpus: Callable[..., Path], tmp_path: Path) -> None:
    dataset = make_corpus("corpus", people=6, clips=1)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    (made,) = extract_splits(Request(dataset, [SPLIT], name), root=tmp_path)
    assert made.n_clips
    table = load_embeddings(made.folder, pooling="mean+std")
    backbone = load_backbone(name)
    for file, vector in zip(table.files, table.vectors, strict=True):
        (statistics,), _ = backbone.statistics([load_waveform(dataset / file)])
        np.testing.assert_array_equal(vector, statistics.ravel())
    (again,) = extract_splits(Request(dataset, [SPLIT], name), root=tmp_path)
    assert again.n_computed == 0
