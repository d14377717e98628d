"""The simulation of an extraction at scale: what it must give where the answer is known."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import scale
from benchmarks.scale import Job, simulate

QUIET = Job(preemptions=0, spread=0, slow=0, start=0)
"""All nodes alike, nothing lost."""


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize(("workers", "parts"), [(1, 1), (8, 8), (8, 32), (64, 64)])
def test_without_disturbance_the_work_is_divided_evenly(workers: int, parts: int) -> None:
    spent = simulate(QUIET, workers, parts, rng())
    assert spent.gpu == pytest.approx(QUIET.hours / QUIET.rate)
    assert spent.wall == pytest.approx(QUIET.hours / QUIET.rate / workers + QUIET.alone / 3600)


def test_every_part_pays_its_start() -> None:
    spent = simulate(replace(QUIET, start=360), 2, 8, rng())
    assert spent.gpu == pytest.approx(QUIET.hours / QUIET.rate + 8 * 0.1)


def test_more_parts_than_workers_shorten_the_wait_for_slow_nodes() -> None:
    uneven = replace(QUIET, slow=0.2)
    one, four = (
        np.array([simulate(uneven, 8, 8 * parts, np.random.default_rng(seed)).wall for seed in range(20)])
        for parts in (1, 4)
    )
    assert (four <= one).all() and four.mean() < 0.9 * one.mean()


def test_a_preemption_costs_a_start_a_wait_and_a_batch_alone() -> None:
    often = replace(QUIET, preemptions=0.5, start=60)
    spent = [simulate(often, 1, 1, np.random.default_rng(seed)) for seed in range(200)]
    work = often.hours / often.rate
    lost = np.mean([each.gpu for each in spent]) - work
    n_preempted = 0.5 * (work + lost)
    assert lost == pytest.approx((1 + n_preempted) * 60 / 3600, rel=0.15)
    waited = np.mean([each.wall - each.gpu - often.alone / 3600 for each in spent])
    assert waited == pytest.approx(n_preempted * often.queue / 3600, rel=0.15)


def test_it_prints_a_row_for_each_case(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["scale", "--hours=100", "--rates=1000", "--parts=1,2"])
    monkeypatch.setattr(scale, "ROUNDS", 3)
    scale.main()
    said, _, *table = capsys.readouterr().out.splitlines()
    assert said.startswith("100 hours; survey and index, on one machine: ")
    assert [line.split("|")[1:4] for line in table[2:]] == [
        [" 1,000 ", f" {gpus} ", f" {parts} "] for gpus in (1, 8, 64) for parts in (1, 2)
    ]
