"""A difference of two runs is established by a paired bootstrap over people; words and signs agree.

The tests write the runs themselves, with scores of known answers; one test compares what the project made itself.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.experiments.evaluation.comparison import Difference, compare_runs
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.metrics.bootstrap import Interval, Trials, interval
from src.metrics.eer import compute_eer
from src.metrics.resampled import resample_eer
from src.metrics.verdict import evaluate_with_intervals
from src.utils.files import read_json, write_json
from tests.experiments.evaluation.written_runs import LABELS, N_PEOPLE, PEOPLE, draw_scores, write_run

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")


def only_difference(root: Path, names: str = "run0,run1") -> Difference:
    (difference,) = compare_runs(names, root=root).differences
    return difference


def test_shared_draws_make_the_interval_narrower_than_independent_ones(tmp_path: Path) -> None:
    """People who are hard for one detector are hard for the other: in the same draws they cancel out."""
    scores = [draw_scores(2.0, seed=1), draw_scores(1.6, seed=2)]
    for number, values in enumerate(scores):
        write_run(tmp_path, f"run{number}", values)
    found = only_difference(tmp_path)
    trials = Trials(LABELS, PEOPLE)
    first, second = (
        resample_eer(values, trials.draw(np.random.default_rng(seed))) for seed, values in enumerate(scores)
    )
    independent = interval(first - second, N_PEOPLE)
    assert found.bounds.high - found.bounds.low < 0.75 * (independent.high - independent.low)
    assert found.bounds.low < found.difference < found.bounds.high
    assert (found.n_people, found.n_clips) == (N_PEOPLE, len(LABELS))


def test_beside_a_perfect_run_the_interval_is_that_of_the_eer_itself(tmp_path: Path) -> None:
    """Two routes: a run whose every EER is 0 changes no difference; spoof systems, where several, are drawn as well."""
    systems = np.where(LABELS == 1, "", np.where(np.arange(len(LABELS)) % 8 < 4, "xtts", "world"))
    scores = draw_scores(1.5, seed=1)
    write_run(tmp_path, "run0", scores, systems=systems)
    write_run(tmp_path, "run1", LABELS.astype(float), systems=systems)
    trials = Trials(LABELS, PEOPLE, systems)
    expected = evaluate_with_intervals(trials, scores, 0.0)["eer"]
    found = only_difference(tmp_path)
    assert (found.difference, found.bounds) == (expected["value"], Interval(expected["low"], expected["high"]))
    without = evaluate_with_intervals(Trials(LABELS, PEOPLE), scores, 0.0)["eer"]
    assert without["low"] != expected["low"], "the systems made no difference"


def test_a_run_and_its_copy_are_the_same_and_nothing_is_established(tmp_path: Path) -> None:
    for name in ("run0", "run1"):
        write_run(tmp_path, name, draw_scores(1.0, seed=1))
    found = only_difference(tmp_path)
    assert (found.difference, found.is_established) == (0.0, False)
    assert str(found).startswith("run0 and run1: no difference")
    assert np.isnan([found.bounds.low, found.bounds.high]).all()


def test_clearly_different_runs_are_established_whichever_is_named_first(tmp_path: Path) -> None:
    write_run(tmp_path, "run0", draw_scores(4.0, seed=1))
    write_run(tmp_path, "run1", draw_scores(0.5, seed=2))
    one, other = only_difference(tmp_path), only_difference(tmp_path, "run1,run0")
    assert one.is_established
    assert other.is_established
    assert one.difference == -other.difference < 0
    assert (one.bounds.low, one.bounds.high) == pytest.approx((-other.bounds.high, -other.bounds.low))
    assert one.bounds.high < 0 < other.bounds.low
    assert str(one) == str(other)
    assert str(one).startswith(
        f"run0 has a lower EER than run1, by {100 * other.difference:.2f} percentage points "
        f"(95 %: {100 * other.bounds.low:.2f} to {100 * other.bounds.high:.2f}; 30 people"
    )
    assert str(one).endswith("the difference is established.")


def test_a_small_difference_is_not_established(tmp_path: Path) -> None:
    write_run(tmp_path, "run0", draw_scores(1.50, seed=1))
    write_run(tmp_path, "run1", draw_scores(1.55, seed=2))
    found = only_difference(tmp_path)
    assert found.difference != 0
    assert found.bounds.low < 0 < found.bounds.high
    assert not found.is_established
    assert "by " in str(found)
    assert str(found).endswith("the difference is not established.")


def test_bounds_in_words_run_as_the_difference_does() -> None:
    for difference, bounds in ((-0.1, Interval(-0.2, 0.05)), (0.1, Interval(-0.05, 0.2))):
        line = str(Difference("a", "b", difference, bounds, 50, 50, 40))
        better, worse = ("a", "b") if difference < 0 else ("b", "a")
        assert f"{better} has a lower EER than {worse}, by 10.00 percentage points (95 %: -5.00 to 20.00" in line


@pytest.mark.parametrize(
    ("difference", "low", "high", "established"),
    [
        (0.1, 0.05, 0.2, True),
        (-0.1, -0.2, -0.05, True),
        (0.1, -0.05, 0.2, False),
        (0.1, 0.0, 0.2, False),
        (0.0, 0.01, 0.2, False),  # the bootstrap shows a side that the clips themselves do not
        (-0.1, 0.01, 0.2, False),
    ],
)
def test_a_difference_is_established_where_it_and_all_of_its_interval_have_one_sign(
    difference: float, low: float, high: float, established: bool
) -> None:
    pair = Difference("a", "b", difference, Interval(low, high), 50, 50, 40)
    assert pair.is_established is established
    assert str(pair).endswith("is established." if established else "is not established.")


def test_a_single_person_establishes_nothing_and_can_be_written(tmp_path: Path) -> None:
    for number in range(2):
        write_run(tmp_path, f"run{number}", draw_scores(1.0 + number, seed=1)[:8], np.full(8, "P00_F000"))
    compared = compare_runs("run0,run1", root=tmp_path)
    assert not compared.differences[0].is_established
    assert "single person" in str(compared.differences[0])
    write_json(tmp_path / "comparison.json", compared.as_json())
    assert read_json(tmp_path / "comparison.json")["differences"][0]["bounds"] == {"low": None, "high": None}


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    table = write_run(tmp_path, "run0", draw_scores(1.5, seed=1))
    write_run(tmp_path, "run1", draw_scores(1.0, seed=2))
    before = only_difference(tmp_path)
    table.sample(frac=1, random_state=3).to_csv(tmp_path / "runs" / "run0" / "scores.csv", index=False)
    assert only_difference(tmp_path) == before


def rename(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(file=["new.wav", *table["file"][1:]])


def relabel(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(label=["spoof", *table["label"][1:]])


@pytest.mark.parametrize("change", [rename, relabel, lambda table: table[:-1]], ids=["renamed", "relabelled", "fewer"])
def test_runs_tested_on_other_clips_are_not_compared_but_named(
    change: Callable[[pd.DataFrame], pd.DataFrame], tmp_path: Path
) -> None:
    for number in range(3):
        write_run(tmp_path, f"run{number}", draw_scores(1.0 + number, seed=number))
    path = tmp_path / "runs" / "run1" / "scores.csv"
    change(pd.read_csv(path, keep_default_na=False)).to_csv(path, index=False)
    compared = compare_runs("run0,run1,run2", root=tmp_path)
    assert [(pair.first, pair.second) for pair in compared.differences] == [("run0", "run2")]
    assert compared.other_clips == [("run0", "run1"), ("run1", "run2")]
    assert "run0 and run1 were tested on different clips: test both on the same split." in str(compared)
    assert compared.as_json()["tested_on_different_clips"] == [("run0", "run1"), ("run1", "run2")]


def test_files_of_another_corpus_are_other_clips_though_named_alike(tmp_path: Path) -> None:
    for number in range(2):
        write_run(tmp_path, f"run{number}", draw_scores(1.0, seed=number))
    inputs = tmp_path / "runs" / "run1" / "hyperparameters.json"
    write_json(inputs, {**read_json(inputs), "corpus": "another"})
    assert compare_runs("run0,run1", root=tmp_path).other_clips == [("run0", "run1")]


def test_fine_tuned_models_are_told_apart(tmp_path: Path) -> None:
    for number, (backbone, head) in enumerate((("hubert", "linear"), ("wavlm", "adapter"))):
        write_run(tmp_path, f"run{number}", draw_scores(1.0 + number, seed=1))
        inputs = {"corpus": "corpus", "input": "waveforms", "teacher": "", "classifier": "fine-tuned", "seed": 7}
        write_json(tmp_path / f"runs/run{number}/hyperparameters.json", {**inputs, "backbone": backbone, "head": head})
    lines = str(compare_runs("run0,run1", root=tmp_path)).splitlines()
    assert lines[0].split()[:6] == ["run", "corpus", "teacher", "backbone", "head", "classifier"]
    assert lines[1].split()[:5] == ["run1", "corpus", "wavlm", "adapter", "fine-tuned"]


def test_a_comparison_reads_as_a_table_best_first_and_as_json(tmp_path: Path) -> None:
    for name, distance in (("run0", 1.0), ("run12", 3.0), ("svm_study0/run3", 2.0)):
        write_run(tmp_path, name, draw_scores(distance, seed=1))
    write_json(tmp_path / "runs" / "svm_study0" / "best_hyperparameters.json", {"best_trial_number": 3})
    compared = compare_runs(" run0, runs/run12/,svm_study0", root=tmp_path)
    lines = str(compared).splitlines()
    assert lines[0].split()[:6] == ["run", "corpus", "backbone", "layer", "pooling", "classifier"]
    assert [line.split()[0] for line in lines[1:4]] == ["run12", "svm_study0/run3", "run0"]
    eer = compute_eer(LABELS, draw_scores(3.0, seed=1))[0]
    assert lines[1].split()[6:] == [f"{100 * eer:.2f}", "%", f"{eer:.4f}"]
    assert len({line.index("hubert") for line in lines[1:4]}) == 1, "columns are not below each other"
    assert lines[4] == ""
    assert len(lines) == 5 + 3 + 1, "three pairs, and how many they are"
    assert "one in 20" in lines[-1]
    assert lines[-1].endswith("3 pairs.")

    content = json.loads(json.dumps(compared.as_json(), allow_nan=False))
    assert [run["run"] for run in content["runs"]] == ["run0", "run12", "svm_study0/run3"]
    assert content["runs"][1]["eer"]["value"] == eer
    assert [pair["in_words"] for pair in content["differences"]] == lines[5:8]
    assert {pair["established"] for pair in content["differences"]} <= {True, False}


def test_runs_that_the_project_made_are_compared_by_their_tests(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("training.trainer", "evaluation.evaluate"):
        monkeypatch.setattr(f"src.experiments.{place}.save_figure", lambda *_: None)
    results: list[dict[str, Any]] = []
    for number, layer in enumerate((0, 1)):
        train_model(choose_recipe(drawn / "datasets" / "corpus", Embeddings("hubert", layer), "lr"), root=drawn)
        results.append(dict(evaluate_run(RunName.parse(f"run{number}"), root=drawn).metrics))
    compared = compare_runs("run0,run1", root=drawn)
    eers = [each["eer"]["value"] for each in results]
    assert compared.differences[0].difference == eers[0] - eers[1] > 0, "the second layer is made to be the better one"
    assert [run["eer"] for run in compared.as_json()["runs"]] == [each["eer"] for each in results]
    assert f"{100 * results[0]['eer']['low']:.2f} to {100 * results[0]['eer']['high']:.2f}" in str(compared)


def test_people_called_by_numbers_stay_apart(tmp_path: Path) -> None:
    people = np.array(["1", "01", "001"])[np.arange(len(LABELS)) % 3]
    for number in range(2):
        write_run(tmp_path, f"run{number}", draw_scores(1.0, seed=number), people)
    assert only_difference(tmp_path).n_people == 3


def test_a_handful_of_people_of_one_class_establishes_nothing(tmp_path: Path) -> None:
    def compared(n_with_spoofs: int) -> Difference:
        people = np.where(LABELS == 1, PEOPLE, [f"p{number // 8 % n_with_spoofs}" for number in range(len(LABELS))])
        for number, separation in enumerate((4.0, 0.3)):
            write_run(tmp_path / str(n_with_spoofs), f"run{number}", draw_scores(separation, seed=number), people)
        return only_difference(tmp_path / str(n_with_spoofs))

    few, enough = compared(5), compared(6)
    assert few.bounds.high < 0 and not few.is_established and few.n_of_rarer_class == 5
    assert str(few).endswith("the difference is not established, as fewer than 6 people have clips of one class.")
    assert enough.is_established and str(enough).endswith("the difference is established.")
