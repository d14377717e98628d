"""What is looked at when a pretraining has ended: one tiny pretraining, carried on from a model, for all tests."""

import json
import os
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from src.experiments.pretraining import pretrainer
from src.experiments.pretraining import review as reviewing
from src.experiments.pretraining.pretrainer import Pretrained, pretrain_backbone
from src.experiments.pretraining.recipe import PretrainingRecipe
from src.experiments.pretraining.review import draw_signs, review
from src.pretraining.contract import PretrainingConfig
from src.pretraining.onwards import completed
from tests.detectors.small_models import save_small
from tests.experiments.pretraining.probed_project import write_probed_corpus

pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = {"objective": "best-rq", "steps": 6, "batch_seconds": 4.0, "validations": 3, "units": 16, "warmup": 0.0}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reviewed")
    write_probed_corpus(folder / "datasets" / "corpus", people=16, seconds=1.0)
    save_small(folder / "public", "hubert", num_hidden_layers=2)
    return folder


@pytest.fixture(scope="module")
def recipe(root: Path) -> PretrainingRecipe:
    config = completed(PretrainingConfig(**SETTINGS, model=str(root / "public")))  # type: ignore[arg-type]
    return PretrainingRecipe((root / "datasets" / "corpus",), config)


@pytest.fixture(scope="module")
def pretrained(recipe: PretrainingRecipe, root: Path) -> Pretrained:
    return pretrain_backbone(recipe, root=root, with_probe=True)


def test_signs_changes_and_probe_lie_in_the_folder(pretrained: Pretrained) -> None:
    for name in ("signs", "changes", "probe"):
        for suffix in ("csv", "png"):
            assert (pretrained.folder / f"{name}.{suffix}").is_file()


def test_the_encoder_after_half_of_the_steps_is_probed_as_well(pretrained: Pretrained) -> None:
    table = pd.read_csv(pretrained.folder / "probe.csv")
    assert list(dict.fromkeys(table["model"])) == ["lfcc", "start", "half", "model"]


def test_metrics_and_what_is_printed_tell_both(pretrained: Pretrained) -> None:
    metrics = json.loads((pretrained.folder / "metrics.json").read_text())
    lines = str(pretrained).splitlines()
    assert lines[1:] == metrics["changes"]["in_words"] + metrics["probe"]["in_words"]
    assert metrics["probe"]["left_out"]["models"]["model"]["eer"]["value"] >= 0
    assert [row["layer"] for row in metrics["changes"]["layers"]] == [0, 1, 2]
    moved = [row["cka_distance"] for row in metrics["changes"]["layers"]]
    assert 0 < max(moved) < 0.5


def test_what_hinders_the_probe_is_told_and_does_not_fail_the_run(
    pretrained: Pretrained, recipe: PretrainingRecipe, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_class(*_: object, **__: object) -> None:
        raise ValueError("A probe needs both classes")

    monkeypatch.setattr(reviewing, "probe", no_class)
    scratch = replace(recipe, config=replace(recipe.config, model=""))
    with pytest.warns(UserWarning, match="The model is not probed: A probe needs both classes"):
        assert review(pretrained.folder, scratch, None, root=root, with_probe=True) == {}  # type: ignore[arg-type]


def test_without_downstream_splits_or_where_it_is_not_wanted_nothing_is_probed(
    pretrained: Pretrained, recipe: PretrainingRecipe, root: Path, tmp_path: Path
) -> None:
    scratch = replace(recipe, config=replace(recipe.config, model=""))
    elsewhere = replace(scratch, datasets=(tmp_path,))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for asked, wanted in ((elsewhere, True), (scratch, False)):
            found = review(pretrained.folder, asked, None, root=root, with_probe=wanted)  # type: ignore[arg-type]
            assert found == {}


def test_signs_are_drawn_where_there_are_any(pretrained: Pretrained, tmp_path: Path) -> None:
    draw_signs(tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "signs.csv").write_text("step,hours_seen,loss\n1,0.1,\n")
    draw_signs(tmp_path)
    assert not (tmp_path / "signs.png").is_file()
    shutil.copy(pretrained.folder / "signs.csv", tmp_path)
    draw_signs(tmp_path)
    assert (tmp_path / "signs.png").is_file()


def test_signs_are_drawn_after_a_validation_but_not_again_within_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(pretrainer, "draw_signs", drawn.append)
    lesson: Any = SimpleNamespace(n_steps=100, training=SimpleNamespace(objective=SimpleNamespace(encoder=None)))

    def tell(held_out: float) -> int:
        table = pd.DataFrame({"step": [3], "hours_seen": [0.1], "loss": [1.0], "held_out_loss": [held_out]})
        pretrainer._tell(tmp_path, lesson, table)
        return len(drawn)

    assert tell(float("nan")) == 0  # broken off, which the end draws
    assert tell(1.0) == 1
    picture = tmp_path / "signs.png"
    picture.touch()
    assert tell(1.0) == 1
    os.utime(picture, (picture.stat().st_mtime - 61,) * 2)
    assert tell(1.0) == 2
