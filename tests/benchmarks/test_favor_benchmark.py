"""The benchmark of FAVOR+ measures what it states, and draws it."""

import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from benchmarks import favor


def test_plain_attention_is_exact_attention() -> None:
    inputs = torch.randn(3, 1, 2, 10, 8).unbind()
    torch.testing.assert_close(favor.plain_attention(*inputs), scaled_dot_product_attention(*inputs))


def test_errors_fall_and_sharper_attention_is_harder() -> None:
    found = favor.measure_errors(Namespace(features=[16, 256], draws=5, dimension=16))
    assert all(few > many for name, (few, many) in found.items() if name.startswith("0.25"))
    assert found["0.5, orthogonal"][1] > found["0.25, orthogonal"][1]


def test_it_prints_both_tables_and_draws_both_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--features=16,32", "--draws=2", "--frames=50,100,200", "--timed-features=16", "--rounds=1"]
    monkeypatch.setattr(sys, "argv", ["favor", *options, "--dimension=8", f"--folder={tmp_path / 'pictures'}"])
    favor.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 head of 8, ")
    assert [line.split()[0] for line in lines if line][1:] == [
        "error",
        "16",
        "32",
        "frames",
        "50",
        "100",
        "200",
        "growth",
    ]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["favor_error.png", "favor_time.png"]
