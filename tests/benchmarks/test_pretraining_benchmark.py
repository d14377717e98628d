"""The benchmarks of pretraining: a step of every way and its operations; what objectives learn, and where not."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import pretraining, pretraining_health
from benchmarks.made_up import flops_of_second
from src.audio.voices import draw_voice, speak
from src.experiments.pretraining import pretrainer
from tests.pretraining.smaller import smaller


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> pretraining.argparse.Namespace:
    """Return the options of a short measurement, of encoders that are tiny."""
    smaller(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["pretraining", "--device=cpu", "--steps=1", "--batch-seconds=8"])
    return pretraining.read_options()


def test_it_prints_a_line_for_every_way(
    options: pretraining.argparse.Namespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pretraining, "products_per_second", lambda size, device, kind: 1e10)
    with torch.random.fork_rng([]):
        pretraining.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "matrix products: 0.01 TFLOP/s in fp32, 0.01 TFLOP/s in bf16"
    assert [tuple(line.split()[:2]) for line in lines[3:]] == [(f"{name},", kind) for name, kind in pretraining.WAYS]
    for line in lines[3:]:
        seconds, hours, operations, share = (float(each.strip("%").replace(",", "")) for each in line.split()[3:])
        assert hours == pytest.approx(8 / seconds, rel=0.01)
        assert share == pytest.approx(operations * 1e9 * 8 / seconds / 1e10 * 100, rel=0.05)


def test_a_step_computes_three_times_what_forward_does(options: pretraining.argparse.Namespace) -> None:
    """Backward, gradients of weights and of inputs cost as much as the products forward; codes have no gradients."""
    with torch.random.fork_rng([]):
        step = pretraining.prepare("conv", "fp32", options, torch.device("cpu"))
    config = step.objective.encoder.model.config
    encoder = 8 * flops_of_second(config, 4.0, config.num_hidden_layers)
    masks, n_codes = step.batch["masks"], 512
    codes = masks.numel() * 2 * (2 * 257 * 80 + 160 * 16 + 16 * n_codes)  # mel filters, projection, nearest code
    head = int(masks.sum()) * 2 * config.hidden_size * n_codes
    assert pretraining.count_operations(step) == pytest.approx(3 * (encoder + head) + codes, rel=0.05)
    assert config._attn_implementation == "sdpa"


def voice(number: int) -> np.ndarray:
    """Return made-up speech."""
    rng = np.random.default_rng(number)
    return speak(draw_voice("F", rng), 2, rng)


def test_health_shows_signs_before_and_after_and_how_a_tone_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    smaller(monkeypatch)
    monkeypatch.setattr(pretrainer, "draw_signs", lambda folder: None)  # takes longer than everything else
    dataset = pretraining_health.write_corpus(tmp_path / "speech", voice)
    flags = ["--health", f"--dataset={dataset}", "--objectives=best-rq", "--seeds=3", f"--root={tmp_path}"]
    monkeypatch.setattr(sys, "argv", ["pretraining", *flags, "--hours-seen=0.005", "--batch-seconds=8"])
    pretraining.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("step")]
    assert re.search(r"^best-rq +3 +\S+ +(\S+) -> (\S+)  .* -> \S+ \(\S+\) ", lines[2])
    assert (tmp_path / "runs/pretraining0/model").is_dir()
    assert lines[3] == "A tone of 500 Hz in place of speech:"
    assert re.search(r"^best-rq +The pretraining has collapsed at step 4: .*\(perplexity 1\)", lines[4])
