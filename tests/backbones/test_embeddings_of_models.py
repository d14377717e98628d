"""From recordings to the store with a speech model: batches of clips of all lengths, and the same numbers as alone."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.io import load_waveform
from src.backbones import load_backbone
from src.backbones.clips import clip_statistics
from src.experiments.corpus.catalogue import add_duration, generate_tables
from src.experiments.corpus.splits import SplitShares, split_dataset
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Limits, Request
from src.utils.dataset import read_rejected
from src.utils.embeddings import load_embeddings
from tests.backbones.conftest import SaveModel

LENGTHS = (0.025, 0.5, 0.02, 1.7, 0.5)
"""Seconds of the clips, over and over; 0.02 is too short for a frame."""


@pytest.mark.parametrize(("family", "model"), [("wav2vec2", "base"), ("hubert", "large"), ("wavlm", "wavlm")])
def test_every_layer_of_every_clip_is_what_the_model_gives_for_it_alone(
    make_corpus: Callable[..., Path], tmp_path: Path, request: pytest.FixtureRequest, family: str, model: str
) -> None:
    """Fault 7: one clip at a time, all frames kept, no resume."""
    folder: Path = request.getfixturevalue(model)
    dataset = make_corpus("corpus", people=5, clips=2)
    for number, path in enumerate(sorted(dataset.rglob("*.flac"))):
        waveform, rate = soundfile.read(path)
        soundfile.write(path, np.resize(waveform, int(LENGTHS[number % len(LENGTHS)] * rate)), rate)
    generate_tables(dataset)
    add_duration(dataset, jobs=1)
    clips = split_dataset(dataset, SplitShares(pretext=0, train=0.6, val=0.2), seed=7)["downstream_train"]

    def run(precision: str = "fp32") -> int:
        request = Request(
            dataset, ["downstream_train"], family, str(folder), precision=precision, limits=Limits(batch_seconds=2)
        )
        (made,) = extract_splits(request, root=tmp_path)
        return made.n_computed

    n_computed = run()
    rejected = read_rejected(dataset)
    assert n_computed == len(clips) - len(rejected)
    assert set(rejected.values()) == {"too short (320 samples at 16000 Hz; a frame needs 400)"}
    backbone = load_backbone(family, str(folder), precision="fp32")
    store = tmp_path / "embeddings" / "corpus" / family / "downstream_train"
    files = [file for file in clips["file"] if file not in rejected]
    assert len(files) > 4
    for layer in (0, 2, backbone.layers[-1]):
        table = load_embeddings(store, layer, "mean+std")
        assert table.files.tolist() == files
        for file, vector in zip(files, table.vectors, strict=True):
            frames = backbone.frames(load_waveform(dataset / file))[layer]
            expected = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
            assert np.abs(vector - expected).max() < 1e-5 * np.abs(frames).max()
    assert run() == 0
    with pytest.raises(ValueError, match="holds embeddings of another kind: precision is 'fp32' there, 'bf16' now"):
        run("bf16")


@pytest.mark.parametrize(("family", "window"), [("whisper", None), ("whisper", "own"), ("ast", None)])
def test_stores_of_models_with_a_window_hold_what_each_clip_gives_alone(
    make_corpus: Callable[..., Path], save_spectral: SaveModel, tmp_path: Path, family: str, window: str | None
) -> None:
    """Clips beyond the model's 2 s or 1.56 s are computed in windows, whatever `max_seconds` allows."""
    folder = save_spectral(tmp_path / "model", family)
    dataset = make_corpus("corpus", people=5, clips=2)
    for number, path in enumerate(sorted(dataset.rglob("*.flac"))):
        waveform, rate = soundfile.read(path)
        soundfile.write(path, np.resize(waveform, int((0.5, 1.2, 4.1, 0.51)[number % 4] * rate)), rate)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.6, val=0.2), seed=7)
    asked = Request(dataset, ["downstream_train"], family, str(folder), precision="fp32", window=window)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is not used, the model below it is")
        list(extract_splits(asked, root=tmp_path))
        backbone = load_backbone(family, str(folder), precision="fp32", window=window)
    store = tmp_path / "embeddings" / "corpus" / family / "downstream_train"
    table = load_embeddings(store, 2, "mean+std")
    assert len(table.files) >= 4
    for file, vector in zip(table.files, table.vectors, strict=True):
        statistics, _ = clip_statistics(backbone, load_waveform(dataset / file))
        np.testing.assert_allclose(vector, statistics[2].ravel(), atol=1e-5 * np.abs(vector).max())
    if family == "whisper":
        other = replace(asked, window=None if window else "own")
        with pytest.raises(ValueError, match="holds embeddings of another kind: window is "):
            list(extract_splits(other, root=tmp_path))
