"""The benchmark measures what it states: the same clips in every way, and operations computed from the model."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from benchmarks import extract, made_up
from src.audio.io import load_waveform
from src.backbones import load_backbone
from src.experiments.corpus.splits import read_split

TINY = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Namespace]:
    """Return a function that makes the options of one measurement on three clips and a tiny model."""
    monkeypatch.setitem(made_up.SHAPES, "tiny", ("wav2vec2", "Wav2Vec2", TINY))
    rng = np.random.default_rng(0)
    made_up.write_clips(tmp_path / "clips", np.array([0.5, 1.0, 0.7]), rng)
    made_up.write_clips(tmp_path / "warm_up", np.array([0.5]), rng)
    made_up.save_model(tmp_path / "model", "tiny")
    return lambda name: Namespace(measure=name, folder=tmp_path, shape="tiny", device="cpu")


def test_clips_have_the_lengths_asked_for(tmp_path: Path) -> None:
    total = made_up.write_clips(tmp_path / "clips", np.array([0.5, 1.25]), np.random.default_rng(0))
    files = read_split(tmp_path / "clips", made_up.SPLIT)["file"]
    assert [len(load_waveform(tmp_path / "clips" / file)) for file in files] == [8_000, 20_000]
    assert total == 1.75


def test_lengths_are_drawn_around_their_mean() -> None:
    seconds = made_up.draw_seconds(5_000, 4.9, np.random.default_rng(0))
    assert seconds.mean() == pytest.approx(4.9, rel=0.02)
    assert seconds.min() >= 1.9
    assert seconds.max() <= 12


def test_operations_of_the_base_model() -> None:
    """About 14 GFLOP for a second of sound, 5 of them in the convolutions."""
    config = transformers.Wav2Vec2Config()
    whole, convolutions = (made_up.flops_of_second(config, 5.0, layer) for layer in (12, 0))
    assert whole == pytest.approx(14.5e9, rel=0.05)
    assert convolutions == pytest.approx(5.6e9, rel=0.05)
    half = made_up.flops_of_second(config, 5.0, 6)
    assert half == pytest.approx((whole + convolutions) / 2)
    assert made_up.flops_of_second(config, 30.0, 12) > whole, "attention grows with the length"


def test_the_plain_way_saves_the_mean_of_the_last_layer(options: Callable[[str], Namespace], tmp_path: Path) -> None:
    assert extract.measure_transformers(options("a"))["seconds"] > 0
    backbone = load_backbone("wav2vec2", str(tmp_path / "model"), precision="fp32")
    for file in read_split(tmp_path / "clips", made_up.SPLIT)["file"]:
        saved = np.load(tmp_path / "a" / f"{Path(file).stem}.npy")
        expected = backbone.statistics([load_waveform(tmp_path / "clips" / file)])[0][0, -1, 0]
        np.testing.assert_allclose(saved, expected, rtol=1e-3, atol=1e-5)


def test_batches_of_transformers_hold_clips_of_like_lengths(
    options: Callable[[str], Namespace], tmp_path: Path
) -> None:
    """Two clips of one length share a batch, in which nothing is padded, and the third has one of its own."""
    rng = np.random.default_rng(0)
    (tmp_path / "clips").rename(tmp_path / "others")
    made_up.write_clips(tmp_path / "clips", np.array([0.7, 1.0, 0.7]), rng)
    files = read_split(tmp_path / "clips", made_up.SPLIT)["file"].tolist()
    batches = extract.batches_of(tmp_path / "clips", files, torch.device("cpu"))
    assert batches == [[files[0], files[2]], [files[1]]]
    assert extract.measure_transformers(options("t"))["seconds"] > 0
    backbone = load_backbone("wav2vec2", str(tmp_path / "model"), precision="fp32")
    for file in files:
        saved = np.load(tmp_path / "t" / f"{Path(file).stem}.npy")
        expected = backbone.statistics([load_waveform(tmp_path / "clips" / file)])[0][0, -1, 0]
        assert saved @ expected / np.linalg.norm(saved) / np.linalg.norm(expected) > 0.99


@pytest.mark.parametrize(("name", "last_layer"), [("b", 12), ("o", 12), ("d", 6)])
def test_the_engine_is_measured_on_all_clips(options: Callable[[str], Namespace], name: str, last_layer: int) -> None:
    found = extract.measure_engine(options(name))
    assert found["last_layer"] == last_layer
    assert 0 <= found["waited"] <= 1
    assert found["seconds"] > 0
    if name == "b":
        assert found["precision"] == "fp32"


def test_the_table_and_the_ratios_are_printed(
    options: Callable[[str], Namespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decoded = extract.measure_decoding(options("decode"))
    limit = {"seconds": 0.0, "fp32": 1e11, "bf16": 2e11}
    way = {"seconds": 2.0, "memory": 1.5}
    engine = {**way, "waited": 0.01, "precision": "bf16", "last_layer": 12}
    found = {
        "decode": decoded,
        "limit": limit,
        "a": way,
        "t": {**way, "precision": "bf16"},
        "b": {**engine, "precision": "fp32"},
        "c": engine,
        "d": engine,
        "o": engine,
    }
    extract.print_table(found, np.array([10.0, 10.0]), tmp_path / "model")
    extract.print_ratios({"a": 8.0, "t": 3.0, "b": 4.0, "c": 2.0, "d": 1.0, "o": 2.5})
    printed = capsys.readouterr().out
    assert printed.count("10.0") >= 4, "20 seconds in 2"
    assert printed.splitlines()[-1] == "ratios: b/a 2.00, c/a 4.00, c/t 1.50, d/c 2.00, c/o 1.25 times as fast"


def test_the_median_is_taken_of_numbers_alone() -> None:
    rounds = [{"seconds": value, "precision": "bf16"} for value in (1.0, 9.0, 2.0)]
    assert extract.median_of(rounds) == {"seconds": 2.0, "precision": "bf16"}
