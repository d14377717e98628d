"""The face for notebooks: it imports nothing until it is used, and says the same as what it stands for."""

import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import src as audios
from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.models import classifier_class
from src.utils.embeddings import load_embeddings
from tests.conftest import tone

ROOT = Path(__file__).resolve().parents[1]
TRAIN, VAL, TEST = "downstream_train", "downstream_val", "downstream_test"
COLUMNS = ["run", "corpus", "classifier", "backbone", "model", "layer", "pooling", "validation_eer", "test_eer"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def few_clips() -> Iterator[None]:
    """So few clips may have an EER that is to be doubted, and that is said."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The EER is")
        yield


@pytest.fixture(scope="module")
def trained(drawn_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with three runs, the first two of them tested; not to be changed."""
    import shutil

    root = Path(shutil.copytree(drawn_once, tmp_path_factory.mktemp("face") / "root"))
    for number, (layer, classifier) in enumerate([(0, "svm"), (1, "lr"), (2, "svm")]):
        train_model(choose_recipe(root / "datasets" / "corpus", Embeddings("hubert", layer), classifier), root=root)
        if number < 2:
            evaluate_run(RunName(None, number), root=root)
    return root


def tables(root: Path, layer: int = 1) -> list[Any]:
    dataset = root / "datasets" / "corpus"
    return [audios.embeddings(dataset, "hubert", split, layer=layer, root=root) for split in (TRAIN, VAL, TEST)]


def one_line(error: pytest.ExceptionInfo[Exception]) -> bool:
    return len(str(error.value).splitlines()) == 1


def test_importing_the_face_imports_nothing_heavy() -> None:
    heavy = {"numpy", "pandas", "scipy", "torch", "sklearn", "matplotlib", "optuna", "soundfile", "transformers"}
    code = f"import sys, src; print(sorted({heavy} & set(sys.modules)), sorted(src.__all__))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[] {sorted(audios.__all__)}"
    assert all(callable(getattr(audios, name)) for name in audios.__all__)


# ---- embeddings


@pytest.mark.parametrize("pooling", ["mean", "std", "mean+std"])
def test_embeddings_are_those_of_the_store(drawn_once: Path, pooling: str) -> None:
    dataset = drawn_once / "datasets" / "corpus"
    found = audios.embeddings(dataset, "hubert", VAL, layer=1, pooling=pooling, root=drawn_once)
    expected = load_embeddings(drawn_once / "embeddings" / "corpus" / "hubert" / VAL, 1, pooling)
    for name in ("vectors", "labels", "speakers", "genders", "systems", "files"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_relative_path_is_taken_from_where_the_notebook_runs(
    drawn_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drawn_once / "datasets")
    found = audios.embeddings("corpus", "hubert", root=drawn_once)
    assert found.vectors.shape == tables(drawn_once)[0].vectors.shape


def test_the_root_may_be_a_relative_path_in_words(drawn_once: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn_once.parent)
    found = audios.embeddings(f"{drawn_once.name}/datasets/corpus", "hubert", root=drawn_once.name)
    assert len(found) == len(tables(drawn_once)[0])


@pytest.mark.parametrize(
    ("asked", "error", "named"),
    [
        ({"backbone": "hubrt"}, ValueError, "hubrt"),
        ({"split": "downstream"}, ValueError, "downstream"),
        ({"split": "pretext_train"}, FileNotFoundError, "pretext_train"),
        ({"layer": 3}, ValueError, "3"),
        ({"pooling": "max"}, ValueError, "max"),
        ({"backbone": "lfcc"}, FileNotFoundError, "GenerateEmbeddings"),
    ],
)
def test_what_is_not_there_is_named_in_one_line(
    drawn_once: Path, asked: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named) as refused:
        audios.embeddings(drawn_once / "datasets" / "corpus", **{"backbone": "hubert", "root": drawn_once, **asked})
    assert one_line(refused)


# ---- embed


@pytest.fixture(scope="module")
def of_rates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root whose clips have several rates, one of them longer than a window, with their lfcc embeddings."""
    from src.experiments.corpus.catalogue import generate_tables
    from src.experiments.corpus.splits import SplitShares, split_dataset
    from src.experiments.extraction.engines import extract_splits
    from src.experiments.extraction.requests import Request
    from tests.conftest import write_corpus

    root = tmp_path_factory.mktemp("rates")
    dataset = write_corpus(root / "datasets" / "corpus", people=6, clips=3)
    for number, path in enumerate(sorted((dataset / "real_voices").rglob("*.flac"))):
        rate, seconds = (8000, 16_000, 24_000, 44_100)[number % 4], 31.0 if number == 3 else 0.7
        soundfile.write(path, tone(number, noise=0.02, seconds=seconds, rate=rate), rate)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.4, val=0.3), seed=7)
    list(extract_splits(Request(dataset, (TRAIN, VAL, TEST), "lfcc"), root=root))
    return root


def test_embedding_a_file_gives_the_row_of_the_store(of_rates: Path) -> None:
    dataset = of_rates / "datasets" / "corpus"
    files = 0
    for split in (TRAIN, VAL, TEST):
        mean, std = (audios.embeddings(dataset, "lfcc", split, pooling=name, root=of_rates) for name in ("mean", "std"))
        for file, *row in zip(mean.files, mean.vectors, std.vectors, strict=True):
            np.testing.assert_array_equal(audios.embed(str(dataset / file), "lfcc")[0], row)
            files += 1
    assert files == 33


def test_a_waveform_is_embedded_as_its_file_is(tmp_path: Path) -> None:
    waveform = tone(3, noise=0.02)
    soundfile.write(tmp_path / "a.wav", waveform, 16_000, subtype="FLOAT")
    of_file = audios.embed(tmp_path / "a.wav", "lfcc")
    assert of_file.shape == (1, 2, 120)
    np.testing.assert_array_equal(audios.embed(waveform, "lfcc"), of_file)
    np.testing.assert_array_equal(audios.embed(waveform.astype(np.float64), "lfcc"), of_file)


@pytest.mark.parametrize(
    ("waveform", "named"),
    [
        (np.zeros((2, 16_000), np.float32), r"\(2, 16000\)"),
        (np.ones(16_000, np.int16), "int16"),
        (np.zeros(16_000, np.float32), "silent"),
        (np.ones(10, np.float32), "too short"),
    ],
)
def test_what_is_no_waveform_is_refused(waveform: np.ndarray, named: str) -> None:
    with pytest.raises(ValueError, match=named) as refused:
        audios.embed(waveform, "lfcc")
    assert one_line(refused)


def test_a_file_that_is_not_there_and_an_unknown_backbone_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.wav") as refused:
        audios.embed(tmp_path / "none.wav", "lfcc")
    assert one_line(refused)
    with pytest.raises(ValueError, match="lfc'") as refused_name:
        audios.embed(tmp_path / "none.wav", "lfc")
    assert one_line(refused_name)


# ---- fit


@pytest.mark.parametrize(
    ("classifier", "hyperparameters"),
    [("svm", {"C": 3.0}), ("lr", {}), ("rf", {"n_estimators": 10}), ("mlp", {"epochs": 3})],
)
def test_fitting_is_that_of_the_contract(drawn_once: Path, classifier: str, hyperparameters: dict[str, Any]) -> None:
    train, val, test = tables(drawn_once)
    kind = classifier_class(classifier)
    expected = kind(kind.Config.from_mapping(hyperparameters), seed=3)
    expected.fit(train, val)
    found = audios.fit(train, val, classifier, seed=3, **hyperparameters)
    np.testing.assert_array_equal(found.scores(test.inputs), expected.scores(test.inputs))


def test_what_cannot_be_fitted_is_named_in_one_line(drawn_once: Path) -> None:
    train, val, _ = tables(drawn_once)
    bonafide = type(val)(**{name: getattr(val, name)[val.labels == 1] for name in val.__dataclass_fields__})
    for arguments, named in (
        ((train, val, "svn"), "svn"),
        ((train, bonafide, "lr"), "val"),
        ((bonafide, val, "svm"), "train"),
    ):
        with pytest.raises(ValueError, match=named) as refused:
            audios.fit(*arguments)
        assert one_line(refused)
    with pytest.raises(ValueError, match="depth") as refused:
        audios.fit(train, val, "svm", depth=3)
    assert one_line(refused)


def test_a_detector_is_fitted_to_recordings(prepared: Path) -> None:
    dataset = prepared / "datasets" / "corpus"
    train, val, test = (audios.recordings(dataset, split) for split in (TRAIN, VAL, TEST))
    small = {"seconds": 0.5, "epochs": 1, "channels": 2, "embedding_size": 4}
    before = sorted(prepared.rglob("*"))
    scores = [audios.fit(train, val, "lcnn", seed=3, **small).scores(test.inputs) for _ in range(2)]
    np.testing.assert_array_equal(*scores)
    assert scores[0].shape == test.files.shape
    assert sorted(prepared.rglob("*")) == before
    with pytest.raises(ValueError, match="svm is trained on embeddings, not on waveforms") as refused:
        audios.fit(train, val, "svm")
    assert one_line(refused)
    with pytest.raises(ValueError, match="lcnn is trained on waveforms, not on embeddings") as refused:
        audios.fit(*(audios.embeddings(dataset, "lfcc", split, root=prepared) for split in (TRAIN, VAL)), "lcnn")
    assert one_line(refused)


def test_recordings_are_those_of_the_split(drawn_once: Path) -> None:
    table = audios.recordings(drawn_once / "datasets" / "corpus", VAL)
    assert sorted(table.files) == sorted(tables(drawn_once)[1].files)
    with pytest.raises(FileNotFoundError, match="pretext_train") as refused:
        audios.recordings(drawn_once / "datasets" / "corpus", "pretext_train")
    assert one_line(refused)


# ---- run, runs, compare


def test_a_run_is_read_back_with_its_scores(trained: Path) -> None:
    import pandas as pd

    run = audios.run("run1", root=trained)
    table = tables(trained)[2]
    written = pd.read_csv(trained / "runs" / "run1" / "scores.csv").set_index("file").loc[table.files, "score"]
    np.testing.assert_array_equal(run.scores(table), written)
    assert (run.recipe.model, run.recipe.seed) == ("lr", 7)
    assert run.metrics["eer"] == json.loads((trained / "runs" / "run1" / "metrics.json").read_text())["eer"]


@pytest.mark.parametrize(
    ("name", "error", "named"),
    [("run9", FileNotFoundError, "9"), ("svm_study0", FileNotFoundError, "svm"), ("rum1", ValueError, "rum1")],
)
def test_a_run_that_is_not_there_is_named_in_one_line(
    trained: Path, name: str, error: type[Exception], named: str
) -> None:
    for read in (audios.run, lambda name, root: audios.compare("run0", name, root=root)):
        with pytest.raises(error, match=named) as refused:
            read(name, root=trained)
        assert one_line(refused)


def test_the_table_of_runs_holds_what_the_runs_hold(trained: Path) -> None:
    table = audios.runs(root=trained)
    assert list(table) == COLUMNS
    assert sorted(table["run"]) == ["run0", "run1", "run2"]
    assert table["validation_eer"].is_monotonic_increasing
    for row in table.to_dict("records"):
        folder = trained / "runs" / row["run"]
        inputs = json.loads((folder / "hyperparameters.json").read_text())
        assert {key: row[key] for key in COLUMNS[1:7]} == {key: inputs[key] for key in COLUMNS[1:7]}
        assert row["validation_eer"] == json.loads((folder / "metrics.json").read_text())["eer"]
        if row["run"] == "run2":
            assert np.isnan(row["test_eer"])
        else:
            assert row["test_eer"] == json.loads((folder / "test_results.json").read_text())["eer"]["value"]


@pytest.mark.parametrize("there", [False, True])
def test_where_no_run_exists_the_table_is_empty(tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "runs" / "run0").mkdir(parents=True)  # it did not finish
    table = audios.runs(root=tmp_path)
    assert (list(table), len(table)) == (COLUMNS, 0)
    assert table["validation_eer"].mean() is not None, "a column of numbers, though there are none"


def test_an_old_run_has_a_row_whatever_it_lacks(tmp_path: Path, write_run: Callable[..., Path]) -> None:
    write_run(tmp_path / "runs" / "run0", eer=0.05)
    without = write_run(tmp_path / "runs" / "svm_study0" / "run3", eer=0.2, tested=False)
    (without / "hyperparameters.json").unlink()
    plain = write_run(tmp_path / "runs" / "run1", eer=0.1)
    (plain / "test_results.json").write_text('{"eer": 0.125}')  # the first versions had no intervals
    corrupt = write_run(tmp_path / "runs" / "run2", eer=0.3)
    for name, content in {"metrics.json": "{", "hyperparameters.json": "[1]", "test_results.json": "null"}.items():
        (corrupt / name).write_text(content)
    later = write_run(tmp_path / "runs" / "run4", eer=0.4, tested=False, input="tomorrow's")
    table = audios.runs(root=tmp_path)
    assert list(table) == COLUMNS
    assert table["run"].tolist() == ["run0", "run1", "svm_study0/run3", later.name, "run2"]
    assert table["validation_eer"].tolist()[:4] == [0.05, 0.1, 0.2, 0.4]
    assert table["test_eer"].tolist()[:2] == [pytest.approx(0.06), 0.125]
    assert table["test_eer"].isna().tolist() == [False, False, True, True, True]
    assert table["corpus"].isna().tolist() == [False, False, True, False, True]
    assert table["backbone"].isna().tolist() == [False, False, True, True, True]


def test_comparing_is_that_of_the_task(trained: Path) -> None:
    from src.experiments.evaluation.comparison import compare_runs

    found = audios.compare("run0", "run1", root=trained)
    assert str(found) == str(compare_runs("run0,run1", root=trained))
    (difference,) = found.differences
    eers = [json.loads((trained / "runs" / name / "test_results.json").read_text())["eer"] for name in ("run0", "run1")]
    assert difference.difference == eers[0]["value"] - eers[1]["value"]


@pytest.mark.parametrize(("names", "error"), [(["run0"], ValueError), (["run0", "run2"], FileNotFoundError)])
def test_what_cannot_be_compared_is_named_in_one_line(trained: Path, names: list[str], error: type[Exception]) -> None:
    with pytest.raises(error, match=names[-1]) as refused:
        audios.compare(*names, root=trained)
    assert one_line(refused)


# ---- eer


def test_the_eer_is_that_of_the_metrics() -> None:
    from src.metrics.eer import compute_eer

    rng = np.random.default_rng(7)
    labels = rng.integers(0, 2, 100)
    scores = rng.standard_normal(100) + labels
    assert audios.eer(labels, scores) == compute_eer(labels, scores)[0]
    assert audios.eer([1, 1, 1, 0, 0, 0], [0.9, 0.8, 0.3, 0.4, 0.2, 0.1]) == pytest.approx(1 / 3)


def test_an_eer_to_be_doubted_warns_where_it_was_asked_for() -> None:
    with pytest.warns(UserWarning, match="above 50 %") as said:
        audios.eer([0, 0, 1, 1], [3.0, 4.0, 1.0, 2.0])
    assert said[0].filename == __file__


def test_labels_of_one_class_are_refused() -> None:
    with pytest.raises(ValueError, match="spoof") as refused:
        audios.eer([1, 1], [0.5, 0.25])
    assert one_line(refused)
