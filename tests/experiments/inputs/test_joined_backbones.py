"""Several backbones give one table: joined by file, scaled, each with a layer of its own, known by all their models."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.experiments.evaluation.evaluate import evaluate_run
from src.experiments.evaluation.reproduction import reproduce_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.report.pages import report_runs
from src.experiments.runs.names import RunName
from src.experiments.studies.search import Search
from src.experiments.studies.tuner import Effort, optimize_hyperparameters
from src.experiments.training.layers import compare_layers
from src.experiments.training.recipe import Recipe, choose_recipe
from src.experiments.training.trainer import train_model
from src.models import CLASSIFIERS, classifier_class
from src.utils.embeddings import EmbeddingTable
from src.utils.files import read_json
from tests.drawn_project import DIMENSION, draw_statistics
from tests.experiments.inputs.second_backbone import SIZE, WIDTH, second_statistics, write_second_stores

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
BOTH, TEST = "hubert+lfcc", "downstream_test"


@pytest.fixture
def root(drawn: Path) -> Path:
    """Return a project with two backbones."""
    write_second_stores(drawn)
    return drawn


def table_of(root: Path, layer: int | str | None = -1, pooling: str = "mean", backbone: str = BOTH) -> EmbeddingTable:
    return Embeddings(backbone, layer, pooling).open(root / "datasets" / "corpus", root).read(TEST)


def recipe_of(root: Path, classifier: str = "lr", layer: int | str | None = "1+0", backbone: str = BOTH) -> Recipe:
    return choose_recipe(root / "datasets" / "corpus", Embeddings(backbone, layer), classifier)


def test_the_vectors_of_a_clip_stand_side_by_side(root: Path) -> None:
    table, alone = table_of(root, "1+0", "mean,mean+std"), table_of(root, 1, backbone="hubert")
    assert table.vectors.shape == (len(alone), DIMENSION + 2 * WIDTH)
    for file, vector in zip(table.files, table.vectors, strict=True):
        second = second_statistics(file)[0]
        expected = [draw_statistics(file)[1, 0], second[0], second[1]]
        np.testing.assert_array_equal(vector, np.concatenate(expected).astype(np.float32))
    for name in ("labels", "genders", "speakers", "systems", "files"):
        np.testing.assert_array_equal(getattr(table, name), getattr(alone, name))
    assert table.of_several_stores
    assert not alone.of_several_stores


def test_one_layer_and_pooling_stand_for_all(root: Path) -> None:
    np.testing.assert_array_equal(table_of(root, -1).vectors, table_of(root, "2+1", "mean,mean").vectors)
    women = Embeddings(BOTH).open(root / "datasets" / "corpus", root).read(TEST, "F")
    assert set(women.genders) == {"F"}
    assert women.of_several_stores


@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("scaling", ["none", "unit"])
def test_no_backbone_drowns_the_other(root: Path, classifier: str, scaling: str) -> None:
    """The numbers of one are a thousand times those of the other: scores are as if they were of one size."""
    kind = classifier_class(classifier)
    scales = {"scaling": scaling} if hasattr(kind.Config, "scaling") else {}
    scores = []
    opened = Embeddings(BOTH, "1+0").open(root / "datasets" / "corpus", root)
    for size in (1.0, 1 / SIZE):
        tables = [opened.read(split) for split in ("downstream_train", "downstream_val")]
        train, val = (
            replace(table, vectors=table.vectors * np.r_[np.ones(DIMENSION), np.full(WIDTH, size)]) for table in tables
        )
        model = kind(kind.Config.from_mapping(scales))
        model.fit(train, val)
        scores.append(model.scores(val.inputs))
    assert np.corrcoef(scores)[0, 1] > 0.99


def test_a_run_is_trained_tested_repeated_and_reported(root: Path) -> None:
    run = train_model(recipe_of(root, layer=-1), root=root)
    inputs = read_json(run.folder / "hyperparameters.json")
    assert {key: inputs[key] for key in Embeddings.keys} == {
        "backbone": "hubert+lfcc",
        "model": "drawn+second",
        "layer": "2+1",
        "pooling": "mean",
    }
    origin = read_json(run.folder / "provenance.json")["data"]["embeddings"]["downstream_train"]
    assert (origin["digest"], origin["precision"]) == ("of drawn+of second", "fp32+bf16")
    assert {backbone: meta["digest"] for backbone, meta in origin["stores"].items()} == {
        "hubert": "of drawn",
        "lfcc": "of second",
    }
    assert 0 <= evaluate_run(run.name, root=root).metrics["eer"]["value"] < 0.5
    assert reproduce_run(run.name, root=root).is_exact
    page = (report_runs(root).parent / "run0" / "report.html").read_text()
    assert "hubert+lfcc" in page
    assert "drawn+<wbr>second" in page
    again = choose_recipe(
        root / "datasets" / "corpus",
        Embeddings(BOTH, None, None),
        "lr",
        hyperparameters=run.folder / "hyperparameters.json",
    )
    assert again.input == Embeddings(BOTH, "2+1", "mean")
    assert Recipe.from_json(json.loads(json.dumps(inputs)), recipe_of(root).dataset).input == again.input


@pytest.mark.slow
def test_a_study_chooses_a_layer_and_a_pooling_of_each(root: Path) -> None:
    search = Search(root / "datasets" / "corpus", Embeddings(BOTH, None, None), "lr")
    study = optimize_hyperparameters(search, Effort(6), root=root)
    layers = {read_json(study.folder / f"run{number}" / "hyperparameters.json")["layer"] for number in range(6)}
    assert len(layers) > 2
    assert all(first in "012" and second in "01" for first, second in (layer.split("+") for layer in layers))
    journal = (study.folder / "journal.log").read_text()
    assert all(name in journal for name in ("layer_hubert", "layer_lfcc", "pooling_hubert", "pooling_lfcc"))
    assert "layer_mix" not in journal
    evaluate_run(RunName.parse("lr_study0"), root=root)
    report_runs(root)


def test_another_model_of_one_of_them_is_refused(root: Path) -> None:
    run = train_model(recipe_of(root), root=root)
    for split in ("downstream_train", "downstream_val", TEST):
        meta = root / "embeddings" / "corpus" / "lfcc" / split / "meta.json"
        meta.write_text(meta.read_text().replace("of second", "of third"))
    with pytest.raises(
        ValueError, match=r"are of different models \(digest of drawn\+of second and of drawn\+of third"
    ):
        evaluate_run(run.name, root=root)


def test_different_clips_are_refused_before_a_folder_is_made(drawn: Path) -> None:
    write_second_stores(drawn, without=2)
    line = r"2 clips of downstream_train are in the embeddings of hubert and not in those of lfcc \(first: "
    with pytest.raises(ValueError, match=line):
        train_model(recipe_of(drawn), root=drawn)
    with pytest.raises(ValueError, match=line):
        train_model(recipe_of(drawn, backbone="lfcc+hubert", layer=0), root=drawn)
    assert not (drawn / "runs").exists()


def test_other_recordings_behind_one_of_them_are_refused(drawn: Path) -> None:
    write_second_stores(drawn, take="2")
    with pytest.raises(ValueError, match="by hubert and lfcc are of different recordings"):
        train_model(recipe_of(drawn), root=drawn)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (("hubert+lfc",), "Unknown backbone 'lfc'; allowed: "),
        (("hubert+",), r"No backbone given \(`backbone`\)"),
        (("hubert+hubert",), "`backbone` names hubert twice: name each once"),
        ((BOTH, "mix"), "A mix of layers is of one backbone"),
        ((BOTH, "0+1+2"), r"`layer` must be a whole number, not '0\+1\+2', or 2 of them such as 0\+0"),
        (("hubert", "0+1"), r"`layer` must be a whole number, not '0\+1'; or mix"),
        ((BOTH, "0+"), "`layer` must be a whole number"),
        ((BOTH, 0, "mean,max"), "Unknown pooling 'max'"),
        ((BOTH, 0, "mean,std,mean"), "`pooling` must name one pooling, or 2 separated by commas"),
        (("hubert", 0, "mean,std"), "Unknown pooling 'mean,std'"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(asked: tuple[str, ...], line: str) -> None:
    with pytest.raises(ValueError, match=line) as caught:
        Embeddings(*asked)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_layers_of_several_are_not_compared_and_not_drawn(root: Path) -> None:
    with pytest.raises(ValueError, match="Layers are compared of one `backbone`, not of 2"):
        compare_layers(recipe_of(root), root=root)
    with pytest.raises(ValueError, match="There is no layer 7; these embeddings have 0-1"):
        train_model(recipe_of(root, layer="0+7"), root=root)
    assert not (root / "runs").exists()
