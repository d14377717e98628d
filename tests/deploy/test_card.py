"""A card holds what the files of a run say, calls the rest unknown, and is read back by the hub's own code."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard import metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results

from src.deploy.card import check_results, make_card, write_card
from src.deploy.card_data import clips_of, licences_of, steps_behind
from src.deploy.card_model import describe_model
from src.deploy.footprint import total, work_of, works_behind
from src.experiments.corpus.splits import read_split
from src.experiments.runs.names import RunName
from src.experiments.training.trained import Trained, read_trained
from src.utils.files import read_json, write_json
from tests.deploy.conftest import FINE_TUNED, FUSED, JOINED, LR, MIX, ONE_LAYER, SVM, TINY
from tests.experiments.evaluation.conftest import edit_json
from tests.typed import run_fab

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
CORPUS = "--dataset=datasets/corpus"
TASKS = (
    f"AddDatasetDuration {CORPUS} --jobs=1",
    f"OptimizeHyperparameters {CORPUS} --backbone=lfcc --classifier=lr --trials=2 --keep=1",
    f"CrossValidate {CORPUS} --backbone=lfcc --classifier=lr --folds=3",
)
STUDY = "lr_study0"
NASTY = 'a|b <img src=x onerror="alert(1)"> *c* `d` [e](https://f.g) $h$ \\ end'


@pytest.fixture(scope="module")
def finished_once(judged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a run of every kind, a study and a cross-validation; not to be changed."""
    root = Path(shutil.copytree(judged, tmp_path_factory.mktemp("cards") / "project"))
    with pytest.MonkeyPatch.context() as patch:
        for place in ("training.trainer", "evaluation.cross_validation"):
            patch.setattr(f"src.experiments.{place}.save_figure", lambda *_: None)
        patch.setattr("src.experiments.studies.tuner.draw_pictures", lambda *_: None)
        for task in TASKS:
            assert run_fab(task, root, patch) == 0, task
    return root


@pytest.fixture
def root(finished_once: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may change, but for its corpora and embeddings, which are those of all tests."""
    root = tmp_path / "project"
    shutil.copytree(finished_once / "runs", root / "runs")
    for name in ("datasets", "embeddings", "small"):
        (root / name).symlink_to(finished_once / name)
    return root


def trained_run(root: Path, name: str) -> Trained:
    return read_trained(root, RunName.parse(name))


def card_of(root: Path, name: str) -> ModelCard:
    return make_card(trained_run(root, name), root)


@pytest.mark.parametrize("name", [LR, SVM, ONE_LAYER, MIX, JOINED, TINY, FINE_TUNED, FUSED, STUDY])
def test_the_card_of_every_kind_is_read_by_the_hubs_own_code(finished_once: Path, tmp_path: Path, name: str) -> None:
    path = write_card(RunName.parse(name), tmp_path / "README.md", root=finished_once)
    trained = trained_run(finished_once, name)
    metadata = metadata_load(path)
    assert metadata and metadata["pipeline_tag"] == "audio-classification" and metadata["license"] == "unknown"
    assert metadata["co2_eq_emissions"]["emissions"] >= 0
    tested = trained.folder / "test_results.json"
    assert ("model-index" in metadata) == tested.is_file()
    if tested.is_file():
        called, results = model_index_to_eval_results(metadata["model-index"])
        assert called == str(trained.name)
        found = {result.metric_type: (result.metric_value, result.metric_args) for result in results}
        eer = read_json(tested)["eer"]
        value, arguments = found["eer"]
        assert value == eer["value"]
        assert (arguments or {"low": None})["low"] == eer["low"]
        assert found["roc_auc"][0] == read_json(tested)["auc"]["value"]
    check_results(ModelCard.load(path), ModelCard.load(path).data.eval_results or [])
    text = path.read_text()
    assert ("It was not tested" in text) == (not tested.is_file())
    assert not re.search(r"\{\{|\{%|\bNone\b[^.]|nan", text)


def test_nobody_and_no_folder_is_named(finished_once: Path) -> None:
    for name in (LR, FUSED, FINE_TUNED):
        text = str(card_of(finished_once, name))
        assert "Person0" not in text and str(finished_once) not in text and "/tmp" not in text


def test_clips_are_counted_as_they_were_used(finished_once: Path) -> None:
    dataset = finished_once / "datasets" / "corpus"
    training, validation, test = clips_of(trained_run(finished_once, LR))
    for found, split in ((training, "train"), (validation, "val"), (test, "test")):
        rows = read_split(dataset, f"downstream_{split}")
        assert (found.clips, found.people) == (len(rows), rows["speaker"].nunique())
        assert found.bonafide == (rows["label"] == "bona-fide").sum() == (found.clips or 0) - (found.spoof or 0)
        assert (found.women or 0) + (found.men or 0) == found.people
        assert found.hours == pytest.approx(len(rows) * 0.5 / 3600)


def test_clips_that_cannot_be_used_count_nowhere(finished_once: Path, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(finished_once / "datasets" / "corpus", tmp_path / "corpus"))
    rows = read_split(dataset, "downstream_train")
    (dataset / "rejected-files.csv").write_text(f"file,reason\n{rows['file'].iloc[0]},silent\n")
    training = clips_of(read_trained(finished_once, RunName.parse(LR), dataset))[0]
    assert training.clips == len(rows) - 1
    assert training.hours == pytest.approx((len(rows) - 1) * 0.5 / 3600)


def test_what_has_changed_since_is_unknown(finished_once: Path, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(finished_once / "datasets" / "corpus", tmp_path / "corpus"))
    table = dataset / "splits" / "by_file" / "files-downstream_train.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    training, validation, _ = clips_of(read_trained(finished_once, RunName.parse(LR), dataset))
    noted = read_json(finished_once / "runs/run0/provenance.json")["data"]
    assert training.clips == noted["embeddings"]["downstream_train"]["clips"]
    assert training.people == len(noted["people"]["downstream_train"])
    assert (training.bonafide, training.women, training.hours) == (None, None, None)
    assert validation.hours is not None
    shutil.rmtree(dataset)
    training, validation, _ = clips_of(read_trained(finished_once, RunName.parse(LR), dataset))
    assert (validation.hours, training.hours) == (None, None) and validation.clips


def test_a_fusion_tells_of_its_parts(finished_once: Path) -> None:
    text = str(card_of(finished_once, FUSED))
    assert "| training of run0 |" in text and "| training of run5 |" in text
    assert "| the training of run2 |" in text and "fab FuseRuns --runs=run0,run5,run2" in text
    assert "`runs/run7` and those that it fuses in `runs/run0`, `runs/run5`, `runs/run2`:" in text


def test_a_local_model_is_no_base_model_of_the_hub(finished_once: Path, root: Path) -> None:
    assert "- It needs the folder of the model small, which was a local one" in str(card_of(root, ONE_LAYER))
    trained = trained_run(root, FINE_TUNED)
    assert describe_model(trained).bases == ()
    edit_json(root / "runs/run6/backbone.json", lambda facts: facts.update(model="facebook/wav2vec2-base"))
    assert card_of(root, FINE_TUNED).data.base_model == ["facebook/wav2vec2-base"]


def test_names_are_shown_and_obeyed_nowhere(root: Path) -> None:
    def rename(results: dict[str, Any]) -> None:
        results["breakdowns"]["system"] = {NASTY: results["breakdowns"]["gender"]["F"], "x": {"eer": results["eer"]}}
        results["about"]["corpus"] = NASTY

    edit_json(root / "runs/run0/test_results.json", rename)
    edit_json(root / "runs/run0/hyperparameters.json", lambda inputs: inputs.update(corpus=NASTY))
    card = card_of(root, LR)
    _, body = str(card).split("\n---\n", 1)
    body = re.sub(r"(?ms)^```.*?^```$", "", body)  # what is typed is shown as it is
    assert "<img" not in body and "https://f.g" not in body and "[e]" not in body and "*c*" not in body
    assert card.data.eval_results and card.data.eval_results[0].dataset_name == NASTY
    by_system = body.partition("#### By system")[2].partition("####")[0].strip().splitlines()
    assert len({line.count("|") for line in by_system}) == 1
    assert by_system[2].startswith("| a&#124;b &#60;img src=x onerror=&#34;alert(1)&#34;&#62; &#42;c&#42;")


def test_what_the_project_says_itself_stands_as_it_was_written(root: Path) -> None:
    note = "No decision is sure to 5 %: that takes 59 validation clips, and there are 20."
    edit_json(root / "runs/run1/test_results.json", lambda results: results["about"].update(rejection=note))
    text = str(card_of(root, SVM))
    assert "(`--reject=`, 5 % by default)" in text
    assert f"- {note}" in text
    assert re.search(r"- \*\*Parameters:\*\* [\d,]+ numbers in the file of its weights", text)
    (root / "runs/run1/model.safetensors").unlink()
    assert "- **Parameters:** unknown" in str(card_of(root, SVM))


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value / 2, "high": value * 2}


def judge_elsewhere(run: Path) -> None:
    """Write what Benchmark, StressTest and a training with domains left out leave."""
    for folder, eer in (("a-00-all", 0.625), ("b-00-all", 0.125)):
        about = {"corpus": folder[0], "protocol": "all trials (dev, eval)", "split": "all", "clips": 9, "n_people": 4}
        content = {"eer": estimate(eer), "about": about, "breakdowns": {"system": {}}}
        write_json(run / "benchmark" / folder / "results.json", content)
    point = {"effect": "mp3", "strength": "16 kbit/s", "eer": estimate(0.375)}
    stress = {"clean_eer": estimate(0.0625), "mean_eer": estimate(0.375), "points": [point], "about": {}}
    write_json(run / "stress_results.json", stress)
    (run / "held_out.csv").write_text("by,domain,clips,eer,low,high\nsystem,xtts,12,0.4375,,\n")
    edit_json(run / "metrics.json", lambda metrics: metrics.update(eer_across_system=0.4375))


def test_results_from_elsewhere_are_in_it_where_there_are_some(root: Path) -> None:
    without = str(card_of(root, LR))
    assert "How it holds up under noise, rooms, telephones and codecs is unknown." in without
    assert "It was not judged on corpora from elsewhere." in without
    assert "cross0, by person: pooled EER" in without
    assert "cross0" not in str(card_of(root, SVM))
    judge_elsewhere(root / "runs/run0")
    card = card_of(root, LR)
    text = str(card)
    assert "On the corpus a, which it never saw, its EER is 62.5 %, worse than chance." in text
    assert "| mp3 | 16 kbit/s | 37.50 % (18.75 to 75.00 %) |" in text
    assert "| xtts | systems | 12 | 43.75 % |" in text
    assert "| b | all trials (dev, eval) | 9 | 4 | 12.50 % (6.25 to 25.00 %) |" in text
    configs = [result.dataset_config for result in card.data.eval_results or [] if result.metric_type == "eer"]
    assert configs == [None, "benchmark/a-00-all", "benchmark/b-00-all"]


def test_the_cue_baseline_stands_beside_a_run_that_is_no_better(root: Path) -> None:
    edit_json(root / "runs/run0/test_results.json", lambda results: results.update(cue_baseline_eer=estimate(0.0)))
    text = str(card_of(root, LR))
    assert "have an EER of 0.0 % there" in text and "it may have learnt nothing else" in text


def test_dropped_weights_and_damaged_files_are_told(root: Path) -> None:
    (root / "runs/run0/model.safetensors").unlink()
    (root / "runs/run0/test_results.json").write_text("{")
    text = str(card_of(root, LR))
    assert "Its weights were dropped" in text and "fab Predict" not in text and "fab TrainModel" in text
    assert "A file of the run is missing or damaged: test&#95;results" not in text  # it can be read as it is
    assert "A file of the run is missing or damaged: test_results.json cannot be read" in text


def test_the_work_of_a_study_and_of_a_fusion_is_summed(root: Path) -> None:
    machine = {"processor": "P", "threads": 2, "gpu": ""}
    for number, hours in ((0, 1), (1, 3)):
        path = root / f"runs/lr_study0/run{number}/provenance.json"
        times = {"started": "2026-01-01T00:00:00+00:00", "ended": f"2026-01-01T0{hours}:00:00+00:00"}
        write_json(path, read_json(path) | times | {"machine": machine})
    trained = trained_run(root, f"{STUDY}/run1")
    works = works_behind(trained.name, trained.provenance, root)
    assert [(work.what, work.hours) for work in works] == [
        ("this training", 3.0),
        ("1 other trials of its study lr_study0", 1.0),
    ]
    assert total(works, "kwh") == pytest.approx(0.08)
    assert total([*works, work_of("another", {})], "kwh") is None


def test_licences_and_steps_are_those_that_the_corpus_tells(tmp_path: Path) -> None:
    (tmp_path / "derived").mkdir()
    recipe = {"step": "AddNoise", "snr": 20, "source": "original", "left_out": []}
    (tmp_path / "derived" / "recipe.json").write_text(json.dumps(recipe))
    (tmp_path / "original").mkdir()
    assert steps_behind(tmp_path / "derived") == ["AddNoise (snr 20), of the corpus original"]
    assert licences_of(tmp_path / "original") == licences_of(tmp_path / "nowhere") == []
    (tmp_path / "original" / "LICENSE.txt").touch()
    (tmp_path / "original" / "SOURCES.csv").write_text("file,system,licence\na.wav,xtts,CC0\nb.wav,,CC BY 4.0\n")
    assert licences_of(tmp_path / "original") == ["the file LICENSE.txt in its folder", "CC0", "CC BY 4.0"]


@pytest.fixture
def fab(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Return what runs a task and returns what it printed."""

    def run(typed: str) -> str:
        capsys.readouterr()
        code = run_fab(typed, root, monkeypatch)
        said = capsys.readouterr()
        assert code == (2 if said.err else 0), said.err
        return said.err or said.out

    return run


def test_the_task_writes_where_it_is_told(root: Path, fab: Callable[[str], str]) -> None:
    assert fab("ModelCard --run=run0").startswith(f"Written to {root / 'runs/run0/README.md'}; read it")
    assert fab("ModelCard --run=lr_study0 --output=card.md").startswith(f"Written to {root / 'card.md'}")
    assert "# lr_study0/run" in (root / "card.md").read_text()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", "Which run?"),
        ("--run=run9", "There is no run 9"),
        ("--run=cross0", "cross0 is a cross-validation"),
        ("--run=run0 --output=runs", "--output must be a file"),
        ("--run=run0 --output=runs/run0/metrics.json", "which is read and must not be overwritten"),
    ],
)
def test_errors_are_one_line(fab: Callable[[str], str], flags: str, said: str) -> None:
    (line,) = fab(f"ModelCard {flags}").splitlines()
    assert line.startswith("ModelCard: ") and said in line
