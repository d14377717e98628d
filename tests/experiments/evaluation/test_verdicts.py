"""Verdicts of a test: each part is what a test of that part alone says, calibrated by validation and nothing else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.experiments.evaluation.cue_verdict import KEY
from src.experiments.evaluation.evaluate import HeldOut, bounds_of, evaluate_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import read_trained
from src.experiments.training.trainer import train_model
from src.metrics.calibration import fit_calibration
from src.metrics.report import evaluate
from src.metrics.table import shown_in
from src.utils.files import read_json, write_json
from src.utils.labels import parse_label

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),  # of tests by a few clips
    pytest.mark.usefixtures("one_thread", "no_pictures"),
]
RUN = RunName.parse("run0")
BANDS = {0: "0-1 s", 1: "2-4 s", 2: "2-4 s", 3: "16 s and more"}
"""Band of a clip by its number; clip 0 is always bona fide."""
SECONDS = {0: 0.5, 1: 2.0, 2: 3.9, 3: 60.0}


def edit_tables(root: Path, edit: Callable[[pd.DataFrame], pd.DataFrame], pattern: str) -> None:
    for path in (root / "datasets" / "corpus").rglob(pattern):
        edit(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)


def clip_numbers(table: pd.DataFrame) -> pd.Series:
    return table["file"].str.extract(r"(\d+)\.wav$")[0].astype(int)


def name_systems(table: pd.DataFrame) -> pd.DataFrame:
    system = np.where(clip_numbers(table) == 3, "world", "xtts")
    return table.assign(system=np.where(table["label"] == "spoof", system, ""))


def measure(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(duration=clip_numbers(table).map(SECONDS))


PARTS = tuple(metric.key for metric in shown_in("breakdowns") if metric.key != KEY)
"""Without the cue baseline, as these clips are drawn and have no sound."""


def put_to_test(root: Path, gender: str | None = None) -> dict[str, Any]:
    """Test run 0 and return its results as they were written."""
    verdict = evaluate_run(RUN, HeldOut(root / "datasets" / "corpus", gender=gender), root=root)
    return {**read_json(verdict.folder / "test_results.json"), "folder": verdict.folder}


def metrics_in(results: dict[str, Any], names: tuple[str, ...] = PARTS) -> dict[str, Any]:
    return {name: results[name] for name in names}


@pytest.fixture(scope="module")
def trained_once(drawn_once: Path, tmp_path_factory: pytest.TempPathFactory, renew_stores: Callable[..., None]) -> Path:
    """Return a root with durations, two systems of spoofs, and an SVM in runs/run0; not to be changed."""
    root = Path(shutil.copytree(drawn_once, tmp_path_factory.mktemp("verdicts") / "root"))
    edit_tables(root, name_systems, "files-*.csv")
    edit_tables(root, measure, "files-metadata.csv")
    renew_stores(root)
    train_model(choose_recipe(root / "datasets" / "corpus", Embeddings("hubert", 1), "svm"), root=root)
    return root


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """Return a copy of that root which a test may change."""
    return Path(shutil.copytree(trained_once, tmp_path / "root"))


@pytest.fixture(scope="module")
def tested(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return results and scores of the usual test."""
    root = Path(shutil.copytree(trained_once, tmp_path_factory.mktemp("tested") / "root"))
    results = put_to_test(root)
    return results, pd.read_csv(results["folder"] / "scores.csv", keep_default_na=False)


# ---- parts


@pytest.mark.parametrize("gender", ["F", "M"])
def test_a_genders_part_is_the_test_of_that_gender_alone(gender: str, trained: Path) -> None:
    part = put_to_test(trained)["breakdowns"]["gender"][gender]
    alone = put_to_test(trained, gender=gender)
    expected = metrics_in(alone)
    assert part.keys() == expected.keys()
    for name, metric in part.items():  # matrix products of fewer rows differ in their last digits
        for end, number in metric.items():
            wanted = expected[name][end]
            assert number == (None if wanted is None else pytest.approx(wanted, rel=1e-9)), (name, end)
    assert list(alone["breakdowns"]["gender"]) == [gender]
    assert alone["breakdowns"]["gender"][gender] == expected
    assert part["eer"]["low"] is not None


def test_every_system_stands_against_all_bona_fide_clips(tested: tuple[dict[str, Any], pd.DataFrame]) -> None:
    results, scores = tested
    found = results["breakdowns"]["system"]
    assert list(found) == ["world", "xtts"]
    for name, part in found.items():
        rows = scores[(scores["label"] == "bona-fide") | (scores["system"] == name)]
        expected = evaluate(rows["label"].map(parse_label), rows["score"], threshold=results["threshold"]["value"])
        assert {metric: each["value"] for metric, each in part.items()} == metrics_in(expected)
        assert part["n_bonafide"] == results["n_bonafide"]
    assert sum(part["n_spoof"]["value"] for part in found.values()) == results["n_spoof"]["value"]
    assert results["about"]["resampled"] == "people and spoof systems"


def test_bands_of_durations_come_from_the_table(tested: tuple[dict[str, Any], pd.DataFrame]) -> None:
    results, scores = tested
    found = results["breakdowns"]["duration"]
    assert list(found) == ["0-1 s", "2-4 s", "16 s and more"]
    band = clip_numbers(scores).map(BANDS)
    threshold = results["threshold"]["value"]
    for name in ("2-4 s", "16 s and more"):
        rows = scores[band == name]
        expected = evaluate(rows["label"].map(parse_label), rows["score"], threshold=threshold)
        assert {metric: each["value"] for metric, each in found[name].items()} == metrics_in(expected)
    genuine = scores[band == "0-1 s"]
    assert set(genuine["label"]) == {"bona-fide"}
    assert found["0-1 s"] == {
        "accuracy": {"value": (genuine["score"] >= threshold).mean(), "low": None, "high": None},
        "n_bonafide": {"value": len(genuine), "low": None, "high": None},
        "n_spoof": {"value": 0, "low": None, "high": None},
    }


def test_clips_without_duration_or_row_are_in_no_band(trained: Path) -> None:
    """A table without durations, one that lacks some clips, and none at all."""
    everything = put_to_test(trained)["breakdowns"]
    edit_tables(trained, lambda table: table[clip_numbers(table) != 2], "files-metadata.csv")
    fewer = put_to_test(trained)["breakdowns"]
    names = ("n_bonafide", "n_spoof")
    for count in names:
        lost = everything["duration"]["2-4 s"][count]["value"] - fewer["duration"]["2-4 s"][count]["value"]
        assert lost == fewer["duration"]["2-4 s"][count]["value"] > 0, "one clip of two is missing"
    edit_tables(trained, lambda table: table.drop(columns="duration"), "files-metadata.csv")
    assert put_to_test(trained)["breakdowns"]["duration"] == {}
    (trained / "datasets" / "corpus" / "files-metadata.csv").unlink()
    without = put_to_test(trained)["breakdowns"]
    assert without["duration"] == {}
    assert (without["gender"], without["system"]) == (everything["gender"], everything["system"])


def test_spoofs_of_unknown_makers_have_no_systems(trained: Path, renew_stores: Callable[..., None]) -> None:
    edit_tables(trained, lambda table: table.assign(system=""), "files-downstream_test.csv")
    renew_stores(trained)
    results = put_to_test(trained)
    assert results["breakdowns"]["system"] == {}
    assert results["about"]["resampled"] == "people"


# ---- intervals


def test_intervals_hold_their_values_and_a_seed_repeats_them(
    tested: tuple[dict[str, Any], pd.DataFrame], trained: Path
) -> None:
    results, _ = tested
    again = put_to_test(trained)
    for changing in ("folder", "about"):
        again.pop(changing)
    assert again == {name: results[name] for name in again}
    parts = [part for groups in results["breakdowns"].values() for part in groups.values()]
    for metrics in [again, *parts]:
        bounds = bounds_of({name: metric for name, metric in metrics.items() if name not in ("breakdowns", "cues")})
        for name, (low, high) in bounds.items():
            assert low <= metrics[name]["value"] <= high, name
    assert {"eer", "auc", "min_dcf", "act_dcf", "cllr", "accuracy"} <= set(
        bounds_of({name: metric for name, metric in again.items() if name not in ("breakdowns", "cues")})
    )
    assert results["about"]["n_people"] == 5


def test_a_test_of_one_person_has_no_bounds(trained: Path, renew_stores: Callable[..., None]) -> None:
    edit_tables(trained, one_woman, "files-downstream_test.csv")
    renew_stores(trained)
    results = put_to_test(trained)
    woman = results["breakdowns"]["gender"]["F"]
    assert woman["n_spoof"]["value"] > 0
    assert all((metric["low"], metric["high"]) == (None, None) for metric in woman.values())
    assert results["eer"]["low"] is not None, "all people together"

    alone = put_to_test(trained, gender="F")
    assert alone["about"]["n_people"] == 1
    for name in ("about", "folder", "cues"):
        del alone[name]
    breakdowns = alone.pop("breakdowns")
    for metrics in (alone, *breakdowns["system"].values(), *breakdowns["duration"].values()):
        assert bounds_of(metrics) == {}
        assert all(np.isfinite(metric["value"]) for metric in metrics.values())
    json.dumps([alone, breakdowns], allow_nan=False)


def one_woman(table: pd.DataFrame) -> pd.DataFrame:
    """Keep a single woman, one with spoofs."""
    women = table[(table["gender"] == "F") & (table["label"] == "spoof")]["speaker"]
    return table[(table["gender"] == "M") | (table["speaker"] == women.iloc[0])]


# ---- calibration


def raw_scores(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores as the classifier gives them."""
    run = read_trained(root, RUN, root / "datasets" / "corpus")
    table = run.open(root / "datasets" / "corpus", root).read(split)
    return table.labels, run.model.scores(table.inputs)


def test_scores_are_on_the_line_that_validation_gave(
    trained_once: Path, tested: tuple[dict[str, Any], pd.DataFrame]
) -> None:
    line = read_json(trained_once / "runs" / "run0" / "calibration.json")
    fitted = fit_calibration(*raw_scores(trained_once, "downstream_val"))
    assert line == {"scale": fitted.scale, "offset": fitted.offset}
    assert line["scale"] > 0
    assert line != {"scale": 1.0, "offset": 0.0}
    results, scores = tested
    labels, raw = raw_scores(trained_once, "downstream_test")
    np.testing.assert_array_equal(scores["score"], line["scale"] * raw + line["offset"])
    other = fit_calibration(labels, raw)
    assert (other.scale, other.offset) != (line["scale"], line["offset"]), "the test gave the line"
    assert results["about"]["calibrated_on"] == "downstream_val"


def test_another_line_moves_the_scores_and_leaves_their_order(
    trained: Path, tested: tuple[dict[str, Any], pd.DataFrame]
) -> None:
    write_json(trained / "runs" / "run0" / "calibration.json", {"scale": 0.01, "offset": 5.0})
    other, before = put_to_test(trained), tested[0]
    for name in ("eer", "auc", "min_dcf"):
        assert other[name]["value"] == pytest.approx(before[name]["value"]), name
    assert other["cllr"]["value"] > 1 > before["cllr"]["value"], "scores of about 5 all round mislead"
    assert other["act_dcf"]["value"] > before["act_dcf"]["value"]


def test_a_run_from_before_calibration_is_tested_by_its_raw_scores(trained: Path) -> None:
    (trained / "runs" / "run0" / "calibration.json").unlink()
    results = put_to_test(trained)
    scores = pd.read_csv(results["folder"] / "scores.csv", keep_default_na=False)["score"]
    np.testing.assert_array_equal(scores, raw_scores(trained, "downstream_test")[1])
    assert results["about"]["calibrated_on"] is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"scale": 1.0}, "calibration.json is damaged: it holds no offset"),
        ({"scale": "steep", "offset": 0}, "calibration.json is damaged .*steep.*; train again"),
        ({"scale": -1.0, "offset": 0}, "calibration.json is damaged .*scale above 0.*; train again"),
    ],
)
def test_a_damaged_line_is_refused(line: dict[str, Any], message: str, trained: Path) -> None:
    write_json(trained / "runs" / "run0" / "calibration.json", line)
    with pytest.raises(ValueError, match=message):
        put_to_test(trained)
    assert not (trained / "runs" / "run0" / "test_results.json").exists()
