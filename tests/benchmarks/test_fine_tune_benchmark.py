"""The benchmark of fine-tuning trains both ways, and prints their rates and ratio for every batch."""

import sys
from pathlib import Path

import pytest
import torch

from benchmarks import fine_tune
from tests.detectors.small_models import save_small


def test_it_prints_a_line_for_every_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_small(tmp_path / "small")
    options = ["--device=cpu", f"--model={folder}", "--seconds=0.25", "--batches", "1", "2", "--steps=1", "--rounds=1"]
    monkeypatch.setattr(sys, "argv", ["fine_tune", *options])
    with torch.random.fork_rng([]):
        fine_tune.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["1", "2"]
    for line in lines[2:]:
        _, fused, plain, ratio = map(float, line.split())
        assert min(fused, plain) > 0
        assert ratio == pytest.approx(fused / plain, abs=0.02)


def test_the_ways_differ_in_the_attention_that_they_say(tmp_path: Path) -> None:
    folder = save_small(tmp_path / "small")
    options = fine_tune.argparse.Namespace(backbone="wav2vec2", model=str(folder), seconds=0.25, device="cpu")
    for _, attention in fine_tune.WAYS.values():
        network = fine_tune.make_network(options, attention)
        assert network.encoder.model.config._attn_implementation == attention
