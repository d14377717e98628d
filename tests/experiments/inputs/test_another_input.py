"""Another kind of input is one file and one row: it is trained on, searched, tested, compared, repeated and reported.

The kind made up here reads the tables of a corpus and nothing else, as waveforms and scores of other runs will: no
store, no backbone, no layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from zlib import crc32

import numpy as np
import pytest

from src.experiments.corpus.splits import read_split
from src.experiments.evaluation.comparison import compare_runs
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.held_out import HeldOut
from src.experiments.evaluation.reproduction import reproduce_run
from src.experiments.evaluation.results import table_of_runs
from src.experiments.inputs import INPUTS
from src.experiments.report.pages import report_runs
from src.experiments.runs.names import RunName
from src.experiments.studies.search import Search
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.experiments.training.layers import compare_layers
from src.experiments.training.recipe import Recipe, choose_recipe
from src.experiments.training.trainer import train_model
from src.metrics.eer import eer_of
from src.models import CLASSIFIERS
from src.models.arrays import WEIGHTS, load_arrays, save_arrays
from src.models.contract import Config, History, keep_going
from src.utils.clip_table import ClipTable
from src.utils.dataset import person_of
from src.utils.embedding_store import split_digest
from src.utils.files import read_json, write_json
from src.utils.labels import parse_label

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")


@dataclass(frozen=True)
class NumberTable(ClipTable):
    """Clips with a number each."""

    numbers: np.ndarray

    @property
    def inputs(self) -> np.ndarray:
        return self.numbers


@dataclass(frozen=True)
class Numbers:
    """A number for each clip, drawn by its name."""

    kind: ClassVar[str] = "numbers"
    keys: ClassVar[tuple[str, ...]] = ("scale",)
    same: ClassVar[tuple[str, ...]] = ("split_digest", "drawn_by")

    scale: float | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Numbers":
        return cls(values["scale"])

    def as_json(self) -> dict[str, Any]:
        return {"scale": self.scale}

    def completed(self, values: Mapping[str, Any], source: Path | None) -> "Numbers":
        return self if self.scale is not None else Numbers(values.get("scale", 1.0))

    def open(self, dataset: Path, root: Path) -> "OpenNumbers":
        return OpenNumbers(self, dataset)

    def require_like(self, before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
        if before["drawn_by"] != now["drawn_by"]:
            raise ValueError(f"{what} are drawn otherwise.")


class OpenNumbers:
    """The numbers of a corpus."""

    drawn_by = "name"

    def __init__(self, asked: Numbers, dataset: Path) -> None:
        self.asked, self.dataset = asked, dataset

    @property
    def noted_path(self) -> str:
        return str(self.dataset)

    def check(self, *splits: str) -> None:
        for split in splits:
            self.origin(split)

    def read(self, split: str, gender: str | None = None) -> NumberTable:
        clips = read_split(self.dataset, split)
        drawn = [np.random.default_rng(crc32(file.encode())).standard_normal() for file in clips["file"]]
        labels = np.array([parse_label(label) for label in clips["label"]])
        table = NumberTable(
            labels=labels,
            genders=clips["gender"].to_numpy(str),
            speakers=person_of(clips).to_numpy(str),
            systems=clips["system"].to_numpy(str),
            files=clips["file"].to_numpy(str),
            numbers=(self.asked.scale or 1.0) * (np.array(drawn) + 1.5 * labels),
        )
        return table.only(gender)

    def origin(self, split: str) -> dict[str, Any]:
        return {"split_digest": split_digest(read_split(self.dataset, split)), "drawn_by": self.drawn_by}

    def identity(self, *splits: str) -> dict[str, dict[str, Any]]:
        return {split: self.origin(split) for split in splits}

    def suggest(self, trial: Any) -> Numbers:
        scale = self.asked.scale
        return replace(self.asked, scale=trial.suggest_float("scale", 0.5, 2.0) if scale is None else scale)

    def describe(self) -> dict[str, Any]:
        return {"scale": self.asked.scale or 1.0}


@dataclass(frozen=True)
class ShiftConfig(Config):
    """Hyperparameters of the shift."""

    slope: float = 1.0

    @classmethod
    def search_space(cls, trial: Any, n_clips: int = 0) -> "ShiftConfig":
        return cls(trial.suggest_float("slope", 0.1, 10.0))


class Shift:
    """The score is the number less the mean of the training's."""

    Config = ShiftConfig
    takes = "numbers"
    files = (WEIGHTS,)

    def __init__(self, config: ShiftConfig, *, seed: int = 7) -> None:
        self.config, self.mean = config, np.zeros(1)

    def fit(self, train: NumberTable, val: NumberTable, watch: Any = keep_going) -> History:
        self.mean = np.array([train.numbers.mean()])
        return History.of_one(0.0, 0.0, eer_of(val.labels, self.scores(val.inputs)))

    def scores(self, numbers: np.ndarray) -> np.ndarray:
        return self.config.slope * (numbers - self.mean)

    def save(self, folder: Path) -> None:
        save_arrays(folder, {"mean": self.mean})

    @classmethod
    def load(cls, folder: Path, config: ShiftConfig) -> "Shift":
        model = cls(config)
        model.mean = load_arrays(folder, ("mean",))["mean"]
        return model


@pytest.fixture
def root(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project without embeddings, whose tables of inputs and of classifiers have one more row each."""
    import shutil
    import sys

    shutil.rmtree(drawn / "embeddings")
    module = SimpleNamespace(Numbers=Numbers, Shift=Shift)
    monkeypatch.setitem(sys.modules, "numbers_input", module)  # type: ignore[arg-type]
    monkeypatch.setitem(INPUTS, "numbers", "numbers_input:Numbers")
    monkeypatch.setitem(CLASSIFIERS, "shift", "numbers_input:Shift")
    return drawn


def recipe_of(root: Path, scale: float | None = 1.0) -> Recipe:
    return choose_recipe(root / "datasets" / "corpus", Numbers(scale), "shift")


def test_it_is_trained_on_tested_repeated_and_reported(root: Path) -> None:
    run = train_model(recipe_of(root), root=root)
    assert 0 < run.metrics["eer"] < 0.5
    assert read_json(run.folder / "hyperparameters.json") == {
        "corpus": "corpus",
        "input": "numbers",
        "scale": 1.0,
        "classifier": "shift",
        "seed": 7,
        "slope": 1.0,
    }
    verdict = evaluate_run(run.name, root=root)
    assert verdict.folder == run.folder
    assert verdict.is_own_corpus
    assert 0 < verdict.metrics["eer"]["value"] < 0.5
    women = evaluate_run(run.name, HeldOut(gender="F"), root=root)
    assert women.metrics["n_bonafide"]["value"] < verdict.metrics["n_bonafide"]["value"]
    again = reproduce_run(run.name, root=root)
    assert again.is_exact
    assert [agreement.what for agreement in again.agreements][:2] == ["validation scores", "test scores"]
    page = (report_runs(root).parent / "run0" / "report.html").read_text()
    assert (
        read_json(run.folder / "test_provenance.json")["data"]["numbers"]["downstream_test"]["split_digest"]
        in (read_json(run.folder / "test_results.json")["about"]["split_digest"])
    )
    assert read_json(run.folder / "provenance.json")["data"]["numbers"]["downstream_val"]["split_digest"] in page
    assert "numbers" in (root / "runs" / "index.html").read_text()


def test_what_it_was_drawn_by_is_part_of_what_is_repeated(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train_model(recipe_of(root), root=root)
    monkeypatch.setattr(OpenNumbers, "drawn_by", "moon")
    with pytest.raises(ValueError, match=r"numbers of downstream_train .*drawn_by"):
        reproduce_run(run.name, root=root)
    with pytest.raises(ValueError, match="drawn otherwise"):
        evaluate_run(run.name, root=root)


def test_a_study_chooses_what_it_leaves_open(root: Path) -> None:
    dataset = root / "datasets" / "corpus"
    study = optimize_hyperparameters(Search(dataset, Numbers(), "shift"), Effort(trials=3), root=root)
    chosen = read_json(study.folder / "best_hyperparameters.json")["best_hyperparameters"]
    assert 0.5 <= chosen["scale"] <= 2.0
    name = RunName.parse(f"shift_study0/run{study.best_trial}")
    evaluate_run(name, root=root)
    single = train_model(recipe_of(root), root=root)
    evaluate_run(single.name, root=root)
    lines = str(compare_runs(f"{name},run0", root=root)).splitlines()
    assert lines[0].split()[:4] == ["run", "corpus", "scale", "classifier"]
    assert {"scale", "classifier", "test_eer"} <= set(table_of_runs(root).columns)
    from_file = choose_recipe(dataset, Numbers(), "shift", hyperparameters=study.folder / "best_hyperparameters.json")
    assert from_file.input == Numbers(chosen["scale"])
    assert from_file.config == ShiftConfig(chosen["slope"])
    (study.folder / "journal.log").unlink()  # the page then tells of trials what their folders know
    report_runs(root)
    page = (study.folder / "report.html").read_text()
    assert "scale" in page
    assert "slope" in page


def test_runs_of_two_kinds_of_input_are_compared(root: Path, renew_stores: Any) -> None:
    from src.experiments.inputs.embeddings import Embeddings

    renew_stores(root)
    for recipe in (recipe_of(root), choose_recipe(root / "datasets" / "corpus", Embeddings("hubert", 1), "lr")):
        evaluate_run(train_model(recipe, root=root).name, root=root)
    said = str(compare_runs("run0,run1", root=root))
    assert "scale" in said.splitlines()[0]
    assert "hubert" in said


def test_it_has_no_layers_to_compare(root: Path) -> None:
    with pytest.raises(ValueError, match="numbers"):
        compare_layers(recipe_of(root), root=root)
    assert not (root / "runs").exists()


def test_a_run_that_lacks_what_its_input_needs_is_told_by_name(root: Path) -> None:
    run = train_model(recipe_of(root), root=root)
    inputs = read_json(run.folder / "hyperparameters.json")
    del inputs["scale"]
    write_json(run.folder / "hyperparameters.json", inputs)
    with pytest.raises(ValueError, match=r"hyperparameters\.json.*scale"):
        evaluate_run(run.name, root=root)
