"""What is finished is found so within moments: no model is loaded, and nothing that is only needed for one."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import soundfile

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import DOWNSTREAM, SplitShares, read_split, split_dataset, split_notes
from src.experiments.extraction import local
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Limits, Request
from src.experiments.pipeline import Chain, Step, run_pipeline
from tests.backbones import conftest as models

pytestmark = pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")
save_model = models.save_model
REPOSITORY = Path(__file__).resolve().parents[2]
SHARES = SplitShares(pretext=0, train=0.5, val=0.25)
MOST_SECONDS = 5.0
PIPELINE = """
import json, sys, time
from pathlib import Path
started = time.perf_counter()
from src.experiments.pipeline import Chain, run_pipeline
steps = list(run_pipeline(Path(sys.argv[1]), Chain("wav2vec2", "svm", 2, sys.argv[3]), root=Path(sys.argv[2])))
heavy = sorted(sys.modules.keys() & {"torch", "transformers"})
print(json.dumps([[step.outcome for step in steps], heavy, time.perf_counter() - started, time.process_time()]))
"""


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Draw nothing and start no worker processes."""
    monkeypatch.setattr("src.experiments.studies.tuner.draw_pictures", lambda *_: None)
    monkeypatch.setattr("src.experiments.evaluation.evaluate.save_figure", lambda *_: None)
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture(scope="module")
def model(save_model: models.SaveModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny wav2vec2; not to be changed."""
    return save_model(tmp_path_factory.mktemp("models") / "tiny", num_hidden_layers=2)


@pytest.fixture
def dataset(make_corpus: Callable[..., Path]) -> Path:
    """Return a corpus that is split."""
    dataset = make_corpus(people=8, clips=2)
    generate_tables(dataset)
    split_dataset(dataset, SHARES, seed=7)
    return dataset


def extract_all(dataset: Path, root: Path, model: Path, **options: Any) -> list[tuple[int | None, int]]:
    request = Request(dataset, DOWNSTREAM, "wav2vec2", str(model), **options)
    return [(each.n_clips, each.n_computed) for each in extract_splits(request, root=root)]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which every model that is loaded is added."""
    names: list[str] = []
    real = local.load_backbone

    def noted(name: str, model: str = "", **options: Any) -> Any:
        names.append(model)
        return real(name, model, **options)

    monkeypatch.setattr(local, "load_backbone", noted)
    return names


@pytest.mark.slow
def test_a_finished_pipeline_takes_moments_and_loads_no_model(dataset: Path, tmp_path: Path, model: Path) -> None:
    first = list(run_pipeline(dataset, Chain("wav2vec2", "svm", 2, str(model)), root=tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", PIPELINE, str(dataset), str(tmp_path), str(model)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True, env={**os.environ, "MPLBACKEND": "agg"},
    )  # fmt: skip
    outcomes, heavy, seconds, of_processor = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert min(seconds, of_processor) < MOST_SECONDS
    computed = [outcome.rpartition(", ")[2] for outcome in outcomes if "layers x" in outcome]
    assert computed == ["0 computed"] * 3
    assert [outcome for outcome in outcomes if "computed" not in outcome and "new" not in outcome] == [
        step.outcome for step in first if "computed" not in step.outcome and "new" not in step.outcome
    ]


def test_finished_splits_load_nothing_and_the_default_options_fit(
    dataset: Path, tmp_path: Path, model: Path, loads: list[str]
) -> None:
    made = extract_all(dataset, tmp_path, model, precision="fp32")
    assert loads == [str(model)]
    for options in ({}, {"precision": "fp32"}, {"layers": "0-2"}, {"device": "cpu"}):
        assert extract_all(dataset, tmp_path, model, **options) == [(n_clips, 0) for n_clips, _ in made]
    assert loads == [str(model)]


def test_another_split_of_clips_that_were_all_computed_loads_nothing(
    dataset: Path, tmp_path: Path, model: Path, loads: list[str]
) -> None:
    extract_all(dataset, tmp_path, model)
    clips = read_split(dataset, "downstream_val")
    path = dataset / "splits" / "by_file" / "files-downstream_val.csv"
    clips.iloc[1:].to_csv(path, index=False)
    (_, (n_clips, n_computed), _) = extract_all(dataset, tmp_path, model)
    assert (n_clips, n_computed, len(loads)) == (len(clips) - 1, 0, 1)


def other_layers(model: Path) -> dict[str, Any]:
    return {"layers": "0-1"}


def other_precision(model: Path) -> dict[str, Any]:
    return {"precision": "tf32"}


def other_windows(model: Path) -> dict[str, Any]:
    return {"limits": Limits(window_seconds=10.0)}


def other_weights(model: Path) -> dict[str, Any]:
    content = bytearray((model / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (model / "model.safetensors").write_bytes(content)
    return {}


def other_preparation(model: Path) -> dict[str, Any]:
    settings = json.loads((model / "preprocessor_config.json").read_text())
    (model / "preprocessor_config.json").write_text(json.dumps({**settings, "do_normalize": False}))
    return {}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (other_layers, "layers is 0-2 there, 0-1 now"),
        (other_precision, "precision is 'fp32' there, 'tf32' now"),
        (other_windows, "max_seconds is 30.0 there, 10.0 now"),
        (other_weights, "digest is 'sha256:"),
        (other_preparation, "digest is 'sha256:"),
    ],
)
def test_what_is_finished_with_something_else_is_refused(
    change: Callable[[Path], dict[str, Any]], what: str, dataset: Path, tmp_path: Path, model: Path
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(model, folder)
    extract_all(dataset, tmp_path, folder, precision="fp32")
    with pytest.raises(ValueError, match="holds embeddings of another kind") as caught:
        extract_all(dataset, tmp_path, folder, **change(folder))
    assert what in str(caught.value)


def test_another_model_is_never_taken_for_the_one_that_is_finished(
    dataset: Path,
    tmp_path: Path,
    model: Path,
    save_model: models.SaveModel,
    loads: list[str],
) -> None:
    extract_all(dataset, tmp_path, model)
    other = save_model(tmp_path / "models" / "tiny", num_hidden_layers=2, seed=1)
    with pytest.raises(ValueError, match="digest is 'sha256:"):
        extract_all(dataset, tmp_path, other)
    with pytest.raises(FileNotFoundError, match="not in the hub's cache"):
        extract_all(dataset, tmp_path, Path("facebook/wav2vec2-base"))
    assert loads == [str(model), "facebook/wav2vec2-base"], "what cannot be known is asked of the model"


@pytest.mark.parametrize("damage", ["index.csv", "meta.json", "journal.csv", "layers/layer-01.f32"])
def test_a_store_that_lacks_a_part_is_not_finished(
    damage: str, dataset: Path, tmp_path: Path, model: Path, loads: list[str]
) -> None:
    made = extract_all(dataset, tmp_path, model)
    (tmp_path / "embeddings" / "corpus" / "wav2vec2" / "downstream_val" / damage).unlink()
    if damage == "meta.json":
        with pytest.raises(ValueError, match=r"no meta\.json"):
            extract_all(dataset, tmp_path, model)
        return
    n_val = made[1][0] if damage != "index.csv" else 0
    assert [n_computed for _, n_computed in extract_all(dataset, tmp_path, model)] == [0, n_val, 0]
    assert len(loads) == (1 if damage == "index.csv" else 2)


# ---- clips that were added or removed after the split: fault 09, docs/faults.md


def with_new_clips(dataset: Path, n_clips: int) -> None:
    """Add a person with so many clips of either class, and make the tables again."""
    for side, name in (("real_voices", "New_F099"), ("fake_voices", "New_F099_Fake")):
        (dataset / side / name).mkdir(parents=True)
        for number in range(n_clips):
            sound = np.random.default_rng(number).uniform(-0.3, 0.3, 4000)
            soundfile.write(dataset / side / name / f"F099-{number:04d}.flac", sound, 16_000)
    generate_tables(dataset)


def test_clips_in_no_split_are_counted(dataset: Path) -> None:
    """Fault 09, docs/faults.md."""
    assert split_notes(dataset) == []
    with_new_clips(dataset, 3)
    assert "6 of 36 clips are in no split" in " ".join(split_notes(dataset))
    assert "fab SplitDataset" in " ".join(split_notes(dataset))
    split_dataset(dataset, SHARES, seed=7)
    assert split_notes(dataset) == []


def test_clips_of_the_splits_that_the_table_does_not_list_are_counted(dataset: Path) -> None:
    """Fault 09, docs/faults.md."""
    person = (dataset / read_split(dataset, "downstream_test")["file"][0]).parent
    n_clips = len(list(person.iterdir()))
    shutil.rmtree(person)
    generate_tables(dataset)
    assert f"{n_clips} clips of the splits are no longer in files-metadata.csv" in " ".join(split_notes(dataset))


def test_the_pipeline_says_which_clips_it_does_not_use(dataset: Path, tmp_path: Path) -> None:
    """Fault 09, docs/faults.md."""

    def splits() -> Step:
        steps = run_pipeline(dataset, Chain("lfcc", "svm", 2, shares=SHARES), root=tmp_path)
        return next(step for step in steps if step.task == "SplitDataset")

    assert "no split" not in splits().outcome
    with_new_clips(dataset, 4)
    assert "8 of 38 clips are in no split" in splits().outcome


@pytest.mark.parametrize(("people", "advised"), [(2, False), (3, True), (4, True)])
def test_people_too_few_for_the_pipeline_are_told_what_to_run(
    people: int, advised: bool, make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    """Fault 20, docs/faults.md: advice that can be followed, and leads on."""
    dataset = make_corpus(people=people, clips=2, without_spoofs=0)
    with pytest.raises(ValueError, match=f"^{people} people with spoofs cannot fill the 5 splits") as caught:
        list(run_pipeline(dataset, Chain("lfcc", "svm", 2), root=tmp_path))
    assert "\n" not in str(caught.value)
    assert (f"fab SplitDataset --pretext=0 --dataset={dataset}" in str(caught.value)) == advised
    if advised:
        split_dataset(dataset, SplitShares(pretext=0), seed=7)
        *_, test = run_pipeline(dataset, Chain("lfcc", "svm", 2), root=tmp_path)
        assert test.task == "TestModel"


def test_a_recording_that_is_missing_is_one_line_before_a_model_is_loaded(
    dataset: Path, tmp_path: Path, model: Path, loads: list[str]
) -> None:
    files = read_split(dataset, "downstream_val")["file"]
    for file in files[:2]:
        (dataset / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"^2 recordings .* are missing .first: {files[0]}") as caught:
        extract_all(dataset, tmp_path, model)
    assert "\n" not in str(caught.value)
    assert loads == []
