"""A run on corpora from elsewhere: known numbers, one class alone, what is shared, and no clip scored twice."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.cues import CUES
from src.detectors import DETECTORS
from src.experiments.corpus import fingerprints
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.cue_baseline import CueBaseline
from src.experiments.corpus.splits import SplitShares, split_dataset
from src.experiments.evaluation import benchmark, benchmark_table, overlap, scoring
from src.experiments.evaluation.benchmark import Judged, run_benchmark
from src.experiments.evaluation.evaluate import HeldOut, evaluate_run
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.inputs.waveforms import Waveforms
from src.experiments.report.benchmark_records import read_benchmark
from src.experiments.runs.artefacts import read_scores
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trained import Trained, read_trained
from src.experiments.training.trainer import train_model
from src.metrics.eer import operating_threshold
from src.utils.dataset import FILES_TABLE, read_files, write_table
from src.utils.files import read_json, write_json
from src.utils.labels import parse_label
from src.visualize.pages.records import Run
from src.visualize.pages.rendering import run_page
from tests.conftest import write_corpus

pytestmark = [
    pytest.mark.usefixtures("one_thread", "no_pictures"),
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
]
RUN = RunName.parse("run0")


@pytest.fixture(scope="module")
def made_once(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with a run, and corpora that it never saw; not to be changed."""
    root = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("bench") / "root"))
    train_model(choose_recipe(root / "datasets" / "corpus", Embeddings("lfcc", -1, "mean+std"), "lr"), root=root)
    for name, seed in (("elsewhere", 90_000), ("other", 50_000)):
        write_corpus(root / "datasets" / name, people=6, clips=2, seed=seed)
    for name, lost in (("spoofs", "real_voices"), ("speech", "fake_voices")):
        dataset = Path(shutil.copytree(root / "datasets" / "other", root / "datasets" / name))
        shutil.rmtree(dataset / lost)
        (dataset / lost).mkdir()
    for name in ("elsewhere", "other", "spoofs", "speech"):
        generate_tables(root / "datasets" / name)
    return root


@pytest.fixture
def root(made_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_once, tmp_path / "root"))


def judge(root: Path, *names: str, split: str = "all", threshold_from: str = "") -> list[Judged]:
    return run_benchmark(RUN, [root / "datasets" / name for name in names], split, threshold_from, root=root)


def test_all_clips_of_a_corpus_without_splits_are_judged(root: Path) -> None:
    (found,) = judge(root, "elsewhere")
    assert (found.about["clips"], found.about["protocol"], found.about["unusable"]) == (22, "all clips", 0)
    assert found.metrics["eer"]["low"] is None or found.metrics["eer"]["low"] <= found.metrics["eer"]["value"]
    assert {"min_dcf", "false_acceptance", "false_rejection", "right", "cue_baseline_eer"} <= set(found.metrics)


def test_copies_in_an_augmented_corpus_are_not_judged(root: Path) -> None:
    dataset = root / "datasets" / "elsewhere"
    write_table(dataset / FILES_TABLE, read_files(dataset).assign(augmentation=["", "[]"] * 11))
    (found,) = judge(root, "elsewhere")
    assert (found.about["clips"], found.about["protocol"]) == (11, "all clips")


def test_it_says_what_a_test_of_the_same_clips_says(root: Path) -> None:
    dataset = root / "datasets" / "elsewhere"
    split_dataset(dataset, SplitShares(pretext=0, train=0.4, val=0.2), seed=7)
    (found,) = judge(root, "elsewhere", split="downstream_test")
    tested = evaluate_run(RUN, HeldOut(dataset), root=root)
    for name in ("eer", "min_dcf", "cue_baseline_eer", "accuracy"):
        assert found.metrics[name] == tested.metrics[name], name
    wrong = tested.metrics["false_bonafide"]["value"] / tested.metrics["n_spoof"]["value"]
    assert found.metrics["false_acceptance"]["value"] == pytest.approx(wrong)
    assert found.about["protocol"] == "downstream_test"


def test_one_class_alone_is_judged_by_right_decisions(root: Path) -> None:
    spoofs, speech = judge(root, "spoofs", "speech")
    assert "eer" not in spoofs.metrics
    assert spoofs.metrics["right"]["value"] == pytest.approx(1 - spoofs.metrics["false_acceptance"]["value"])
    assert "false_rejection" not in spoofs.metrics
    assert speech.metrics["right"]["value"] == pytest.approx(1 - speech.metrics["false_rejection"]["value"])
    assert spoofs.about["threshold"] == read_trained(root, RUN).threshold


def test_their_threshold_may_come_from_another_corpus(root: Path) -> None:
    other, spoofs = judge(root, "other", "spoofs", threshold_from="other")
    scores = read_scores(other.folder)
    threshold = operating_threshold(scores["label"].map(parse_label), scores["score"])
    rejected = (read_scores(spoofs.folder)["score"] < threshold).mean()
    assert spoofs.metrics["right"]["value"] == pytest.approx(rejected)
    assert (spoofs.about["threshold"], spoofs.about["threshold_from"]) == (threshold, "other")
    assert other.about["threshold_from"] == "downstream_val"


def test_the_page_shows_the_rates_at_the_threshold_of_the_last_call(root: Path) -> None:
    own = {one.about["corpus"]: one.metrics for one in judge(root, "elsewhere", "spoofs")}
    for source, said in (("elsewhere", True), ("", False)):
        found = judge(root, "elsewhere", "spoofs", threshold_from=source)[1]
        (shown,) = (one for one in read_benchmark(root / "runs/run0") if one.about["corpus"] == "spoofs")
        assert {key: rate.value for key, rate in shown.metrics.items()} == {
            key: rate["value"] for key, rate in found.metrics.items()
        }
        assert shown.about == found.about
        page = run_page(Run("run0", "run0/report.html", "finished", benchmark=(shown,)))
        assert ("decided at the threshold of elsewhere" in page) == said
    assert found.metrics == own["spoofs"]


def test_what_is_shared_with_the_training_is_found_and_told(root: Path) -> None:
    """People of the same names; then the recordings themselves, under other names and in place."""
    dataset = root / "datasets" / "elsewhere"
    known = sorted(read_trained(root, RUN).people())
    shared = [path for person in known[:2] for path in (root / "datasets/corpus/real_voices" / person).glob("*")]
    (dataset / "real_voices" / "Zoe_F900").mkdir()
    for number, path in enumerate(shared):
        shutil.copyfile(path, dataset / "real_voices" / "Zoe_F900" / f"{number}.flac")
    generate_tables(dataset)
    (found,) = judge(root, "elsewhere")
    people = len(set(known) & set(read_scores(found.folder)["speaker"]))
    assert found.about["overlap"] == {
        "people": people,
        "people_before_merging": 0,
        "files": 0,
        "contents": len(shared),
    }
    assert f"{len(shared)} contents of it were in training or validation" in benchmark_table.as_text([found])
    (own,) = judge(root, "corpus")
    assert own.about["overlap"]["files"] == own.about["overlap"]["contents"] > 0


def test_no_fingerprint_is_taken_twice(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    take = fingerprints.take_fingerprints
    for module in (benchmark, overlap):
        monkeypatch.setattr(
            module, "take_fingerprints", lambda dataset, files: taken.append(dataset.name) or take(dataset, files)
        )
    judge(root, "elsewhere", "other")
    assert sorted(taken) == ["corpus", "elsewhere", "other"]


def test_what_is_finished_is_not_scored_again_and_what_changed_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = judge(root, "elsewhere")[0]
    calls = []
    scored = Trained.scores
    monkeypatch.setattr(Trained, "scores", lambda self, table: calls.append(len(table)) or scored(self, table))
    assert judge(root, "elsewhere")[0].metrics == first.metrics
    assert calls == []
    soundfile.write(
        root / "datasets/other/real_voices/Person00_F000/new.flac",
        np.random.default_rng(0).normal(0, 0.1, 9000),
        16_000,
    )
    generate_tables(root / "datasets" / "other")
    assert judge(root, "elsewhere", "other")[1].about["clips"] == 23
    assert calls == [23]


def test_what_is_finished_needs_no_cue_baseline(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []
    fit = CueBaseline.fit
    monkeypatch.setattr(CueBaseline, "fit", lambda *given: fits.append(given) or fit(*given))
    judge(root, "elsewhere")
    assert len(fits) == 1 + len(CUES)
    judge(root, "elsewhere", "other")
    assert len(fits) == 2 * (1 + len(CUES))
    judge(root, "elsewhere", "other")
    assert len(fits) == 2 * (1 + len(CUES))


def test_what_was_missing_is_told_anew_at_each_call(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training corpus is away, and comes back; then the table says what the trials are."""
    corpus, table = root / "datasets" / "corpus", root / "datasets" / "elsewhere" / "files-metadata.csv"
    whole = judge(root, "elsewhere")[0]
    shutil.rmtree(whole.folder)
    corpus.rename(root / "away")
    (found,) = judge(root, "elsewhere")
    assert "could not be compared with the training data; There is no cue baseline" in benchmark_table.as_text([found])
    assert ".." not in benchmark_table.as_text([found])
    (root / "away").rename(corpus)
    monkeypatch.setattr(Trained, "scores", lambda *_: pytest.fail("scored again"))
    (found,) = judge(root, "elsewhere")
    assert (found.metrics, found.breakdowns) == (whole.metrics, whole.breakdowns)
    assert {**found.about, "tested": ""} == {**whole.about, "tested": ""}
    head, *lines = table.read_text().splitlines()
    table.write_text("\n".join([f"{head},official", *(f"{line},test" for line in lines)]) + "\n")
    assert judge(root, "elsewhere")[0].about["protocol"] == "all trials (test)"
    assert read_benchmark(root / "runs" / "run0")[0].about["protocol"] == "all trials (test)"


def test_scores_that_were_computed_before_a_kill_are_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_scores(judge(root, "elsewhere")[0].folder)["score"].tolist()
    shutil.rmtree(root / "runs" / "run0" / "benchmark")
    monkeypatch.setattr(scoring, "AT_ONCE", 5)
    calls: list[int] = []
    scored = Trained.scores

    def killed(self: Trained, table: object) -> np.ndarray:
        calls.append(len(table))  # type: ignore[arg-type]
        if len(calls) == 3:
            raise KeyboardInterrupt
        return scored(self, table)  # type: ignore[arg-type]

    monkeypatch.setattr(Trained, "scores", killed)
    with pytest.raises(KeyboardInterrupt):
        judge(root, "elsewhere")
    found = read_scores(judge(root, "elsewhere")[0].folder)["score"].tolist()
    assert found == pytest.approx(whole, rel=1e-12)
    assert calls == [5, 5, 5, 5, 5, 2]


def test_a_recording_that_cannot_be_used_is_left_out(root: Path) -> None:
    (root / "datasets/elsewhere/real_voices/Person00_F000/F000-0000.flac").write_bytes(b"no sound")
    assert judge(root, "elsewhere")[0].about["clips"] == 21


def test_a_detector_scores_the_recordings_and_leaves_out_what_it_cannot_use(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DETECTORS, "tiny", "tests.detectors.tiny:Tiny")
    name = train_model(choose_recipe(root / "datasets" / "corpus", Waveforms(), "tiny"), root=root).name
    dataset = root / "datasets" / "elsewhere"
    (whole,) = run_benchmark(name, [dataset], root=root)
    before = read_scores(whole.folder).set_index("file")["score"]
    lost = "real_voices/Person00_F000/F000-0000.flac"
    (dataset / lost).write_bytes(b"no sound")
    (found,) = run_benchmark(name, [dataset], root=root)
    assert (found.about["clips"], found.about["unusable"]) == (21, 1)
    after = read_scores(found.folder).set_index("file")["score"]
    assert after.to_numpy() == pytest.approx(before.drop(lost)[after.index].to_numpy(), abs=1e-5)


def test_protocols_are_named_and_never_mixed(root: Path) -> None:
    dataset = root / "datasets" / "elsewhere"
    split_dataset(dataset, SplitShares(pretext=0, train=0.4, val=0.2), seed=7)
    recipe = dataset / "splits" / "recipe.json"
    write_json(recipe, read_json(recipe) | {"official": True})
    text = (dataset / "files-metadata.csv").read_text().splitlines()
    rows = [f"{text[0]},official", *(f"{line},{('test', 'progress')[row % 2]}" for row, line in enumerate(text[1:]))]
    (dataset / "files-metadata.csv").write_text("\n".join(rows) + "\n")
    found = [judge(root, "elsewhere", split=split)[0] for split in ("all", "downstream_test")]
    assert [one.about["protocol"] for one in found] == [
        "all trials (progress, test)",
        "official split, downstream_test",
    ]
    assert len({one.folder for one in found}) == 2
    assert len(read_benchmark(root / "runs" / "run0")) == 2


def test_worse_than_chance_is_told_as_that(root: Path) -> None:
    """The same corpus with its classes exchanged."""
    dataset = root / "datasets" / "elsewhere"
    table = dataset / "files-metadata.csv"
    swapped = table.read_text().replace(",bona-fide", ",x").replace(",spoof", ",bona-fide").replace(",x", ",spoof")
    table.write_text(swapped)
    (found,) = judge(root, "elsewhere")
    assert found.metrics["eer"]["value"] > 0.5
    assert "elsewhere: worse than chance here" in benchmark_table.as_text([found])
    assert "the other way" not in benchmark_table.as_text([found])


def test_the_page_shows_the_table(root: Path) -> None:
    judge(root, "elsewhere", "spoofs")
    (root / "runs/run0/benchmark/broken").mkdir()
    (root / "runs/run0/benchmark/broken/results.json").write_text("{")
    outcomes = read_benchmark(root / "runs" / "run0")
    page = run_page(Run("run0", "run0/report.html", "finished", benchmark=outcomes))
    assert 'id="benchmark"' in page
    assert "results.json cannot be read" in page
    assert page.count("<td>all clips</td>") == 2


def test_rows_for_files_hold_every_number(root: Path) -> None:
    (found,) = judge(root, "elsewhere")
    row = benchmark_table.rows_of([found])[0]
    assert (row["corpus"], row["system"], row["clips"]) == ("elsewhere", "", 22)
    assert row["eer"] == found.metrics["eer"]["value"]


@pytest.mark.parametrize(
    ("names", "options", "said"),
    [
        ((), {}, "`datasets` takes one corpus or more"),
        (("elsewhere", "elsewhere"), {}, "names .* twice"),
        (("elsewhere",), {"threshold_from": "other"}, r"`threshold_from` must be one of the corpora \(elsewhere\)"),
        (("elsewhere", "spoofs"), {"threshold_from": "spoofs"}, "spoofs holds one class alone"),
        (("other", "there/other"), {"threshold_from": "other"}, "two corpora are called other; rename the folder"),
        (("elsewhere",), {"split": "test"}, "Unknown split 'test'"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    names: tuple[str, ...], options: dict[str, str], said: str, root: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        judge(root, *names, **options)


def test_a_corpus_that_is_not_there_is_refused_before_any_work(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        judge(root, "elsewhere", "nowhere")
    assert not (root / "runs" / "run0" / "benchmark").exists()
