"""ExplainRun finds what decides where that is known: one band of frequencies, one layer, one statistic."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from scipy.fft import dct

from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.splits import DOWNSTREAM, SplitShares, split_dataset
from src.experiments.evaluation.explanation import EXPLANATION, Explanation, explain_run, without_bands
from src.experiments.evaluation.feature_groups import groups_of, names_of_features
from src.experiments.extraction.engines import extract_splits
from src.experiments.extraction.requests import Request
from src.experiments.inputs.embeddings import Embeddings
from src.experiments.report.explanation_records import read_explanation
from src.experiments.report.pages import report_runs
from src.experiments.runs.names import RunName
from src.experiments.training.recipe import choose_recipe
from src.experiments.training.trainer import train_model
from src.metrics.calibration import Calibration
from src.utils.files import read_json
from src.visualize.pages.records import Run
from src.visualize.pages.rendering import run_page

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]
RATE = 16_000
STEP = 8000 / 41  # hertz between the filters of LFCC
EDGES = [0, *((5 * number + 0.5) * STEP for number in range(1, 8)), 8000]
"""Of the bands of five filters."""
LOUDER = 4
"""The band that is louder in spoofs."""


def clip(seed: int, spoof: bool) -> np.ndarray:
    """Return half a second of noise whose bands have levels of their own; one of them is 3 dB louder in spoofs."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(RATE // 2))
    decibels = rng.uniform(-1.5, 1.5, 8)
    decibels[LOUDER] += 3 * spoof
    of_bin = np.clip(np.searchsorted(EDGES, np.fft.rfftfreq(RATE // 2, 1 / RATE), side="right") - 1, 0, 7)
    return (0.05 * np.fft.irfft(spectrum * 10 ** (decibels[of_bin] / 20))).astype(np.float32)


@pytest.fixture(scope="module")
def one_band(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project's root whose corpus differs in one band alone, with its lfcc embeddings; not to be changed."""
    root = tmp_path_factory.mktemp("band")
    dataset = root / "datasets" / "corpus"
    for number in range(24):
        person = f"Person{number:02d}_{'FM'[number % 2]}{number:03d}"
        for side, suffix, spoof in (("real_voices", "", False), ("fake_voices", "_Fake", True)):
            folder = dataset / side / f"{person}{suffix}"
            folder.mkdir(parents=True)
            for take in range(5):
                soundfile.write(folder / f"{take}.flac", clip(1000 * number + 10 * take + spoof, spoof), RATE)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.2), seed=7)
    list(extract_splits(Request(dataset, DOWNSTREAM, "lfcc"), root=root))
    return root


def explained(root: Path, classifier: str, eaten: Embeddings) -> Explanation:
    recipe = choose_recipe(root / "datasets" / "corpus", eaten, classifier)
    run = train_model(recipe, root=root)
    return explain_run(RunName.of(run.folder), root=root, repetitions=3)


@pytest.mark.parametrize("classifier", ["lr", "svm"])
def test_the_one_band_that_tells_the_classes_apart_is_found(one_band: Path, tmp_path: Path, classifier: str) -> None:
    root = Path(shutil.copytree(one_band, tmp_path / "root"))
    found = explained(root, classifier, Embeddings("lfcc", -1, "mean"))
    bands = {group["name"]: group for group in found.groups if group["kind"] == "frequency band"}
    needed = max(bands, key=lambda name: bands[name]["eer"]["value"])
    assert needed == "4-5 kHz"
    assert bands[needed]["eer"]["low"] > 0.1
    others = [group["eer"]["value"] for name, group in bands.items() if name != needed]
    assert max(others) < bands[needed]["eer"]["value"] / 2
    assert max(bands, key=lambda name: bands[name]["cllr"]["value"]) == needed
    everything = found.groups[0]
    assert everything["kind"] == "everything"
    assert everything["eer"]["value"] == pytest.approx(0.5, abs=0.2)
    assert "frequency band 4-5 kHz" in str(found).splitlines()[1]


@pytest.mark.slow
def test_what_is_found_is_kept_and_is_the_same_again(one_band: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(one_band, tmp_path / "root"))
    found = explained(root, "lr", Embeddings("lfcc", -1, "mean+std"))
    record = read_json(found.folder / EXPLANATION)
    assert record["groups"] == found.groups
    assert {group["kind"] for group in found.groups} == {"everything", "statistic", "delta order", "frequency band"}
    assert {path.name for path in found.folder.glob("*.png")} >= {"importance.png", "cues.png", "features.png"}
    assert {each["by"] for each in record["comparisons"]} == {"label", "gender"}, "no system is known"
    by_label = [each for each in record["comparisons"] if each["by"] == "label"]
    assert {each["kind"] for each in by_label} == {"cue", "feature"}
    features = [each for each in by_label if each["kind"] == "feature"]
    assert all(each["name"].startswith("lfcc static") for each in features)
    assert features[0]["p"] < 0.05
    assert features[0]["p_corrected"] == pytest.approx(4 * features[0]["p"])
    assert all(each["paired"] for each in by_label)
    assert not any(each["paired"] for each in record["comparisons"] if each["by"] == "gender")
    again = explain_run(RunName.of(found.folder), root=root, repetitions=3)
    assert (again.groups, again.comparisons) == (found.groups, found.comparisons)


def test_a_run_without_its_recordings_is_explained_by_its_features_alone(drawn: Path) -> None:
    found = explained(drawn, "lr", Embeddings("hubert", 1, "mean+std"))
    rises = {group["name"]: group["cllr"]["value"] for group in found.groups}
    assert rises["mean"] > rises["standard deviation"], "the classes are drawn with other means only"
    assert {each["kind"] for each in found.comparisons} == {"feature"}
    assert not (found.folder / "cues.png").exists()
    assert str(found).splitlines()[-1] == (
        "Whether the classes differ in cheap cues cannot be told: no cue of the test's recordings could be measured."
    )


def test_too_few_people_to_tell_anything_of_cues_is_said() -> None:
    def last_line(p: float | None, smallest: float | None) -> str:
        cues = [
            {"kind": "cue", "name": name, "by": "label", "p": p, "p_corrected": p and 2 * p, "p_smallest": smallest}
            for name in ("level", "hum")
        ]
        return str(Explanation(Path(), [], cues, 5)).splitlines()[-1]

    told = "Cheap cues in which the classes differ, beyond chance: {}."
    assert last_line(0.4, 2 / 2**10) == told.format("none")
    assert last_line(0.002, 2 / 2**10) == told.format("level, hum")
    too_few = "Whether the classes differ in cheap cues beyond chance cannot be told: the test has too few people (5) "
    too_few += "for 2 cues."
    assert last_line(0.4, 2 / 2**6) == too_few, "corrected for two cues, it cannot fall below 0.0625"
    assert last_line(None, None) == too_few


def test_repetitions_must_be_one_or_more(drawn: Path) -> None:
    with pytest.raises(ValueError, match="`repetitions` must be 1 or more, not 0"):
        explain_run(RunName.parse("run0"), root=drawn, repetitions=0)


ORIGIN = {"dimension": 120, "layers": [0, 1]}


def test_exchanging_all_bands_is_exchanging_all_means() -> None:
    rng = np.random.default_rng(0)
    values, donors = rng.standard_normal((2, 5, 240))
    groups = groups_of(Embeddings("lfcc", 0, "mean+std"), ORIGIN, 240)
    changed = values
    for group in groups:
        if group.kind == "frequency band":
            changed = group.exchange(changed, donors)
    np.testing.assert_allclose(changed[:, :120], donors[:, :120], atol=1e-12)
    np.testing.assert_array_equal(changed[:, 120:], values[:, 120:])


def test_a_band_changes_its_own_filters_alone() -> None:
    rng = np.random.default_rng(0)
    energies, others = rng.standard_normal((2, 4, 3, 40))
    values, donors = (dct(each, norm="ortho").reshape(4, 120) for each in (energies, others))
    bands = [group for group in groups_of(Embeddings("lfcc", 0), ORIGIN, 120) if group.kind == "frequency band"]
    expected = energies.copy()
    expected[..., 10:15] = others[..., 10:15]
    np.testing.assert_allclose(
        bands[2].exchange(values, donors), dct(expected, norm="ortho").reshape(4, 120), atol=1e-12
    )


def test_a_mix_has_a_group_for_each_layer_and_joined_backbones_one_for_each() -> None:
    mix = replace(Embeddings("hubert", "mix"), pooling="mean+std")
    groups = {group.name: group for group in groups_of(mix, {"dimension": 3, "layers": [0, 6]}, 6)}
    assert list(groups) == ["all of it", "layer 0", "layer 6", "mean", "standard deviation"]
    values, donors = np.zeros((2, 2, 6)), np.ones((2, 2, 6))
    assert groups["layer 6"].exchange(values, donors)[:, :, 0].tolist() == [[0, 1], [0, 1]]
    assert groups["mean"].exchange(values, donors)[0].tolist() == [[1, 1, 1, 0, 0, 0]] * 2
    joined = Embeddings("lfcc+hubert", "0+1", "mean,std")
    origin = {"stores": {"lfcc": {"dimension": 120}, "hubert": {"dimension": 3}}}
    kinds = [group.kind for group in groups_of(joined, origin, 123)]
    assert kinds.count("backbone") == kinds.count("statistic") == 2
    names = names_of_features(joined, origin, 123)
    assert names[41] == "lfcc delta 1, mean"
    assert names[-1] == "hubert 2, standard deviation"


def test_a_detector_on_waveforms_misses_the_band_that_it_hears(tmp_path: Path) -> None:
    paths = []
    for seed in range(6):
        paths.append(tmp_path / f"{seed}.flac")
        soundfile.write(paths[-1], clip(seed, False), RATE)

    def loudness(files: np.ndarray) -> np.ndarray:
        spectra = [np.abs(np.fft.rfft(soundfile.read(file)[0])) for file in files]
        return np.array([spectrum[4100 // 2 : 4900 // 2].mean() for spectrum in spectra])  # half a second: 2 Hz a bin

    heard = SimpleNamespace(calibration=Calibration(), model=SimpleNamespace(scores=loudness))
    files = np.array([str(path) for path in paths])
    before = loudness(files)
    left = {name: scores[0] / before for _, name, scores in without_bands(heard, files)}
    assert list(left)[::7] == ["0-1 kHz", "7-8 kHz"]
    assert (left.pop("4-5 kHz") < 0.02).all()
    for name, share in left.items():
        np.testing.assert_allclose(share, 1.0, atol=0.01, err_msg=name)


@pytest.mark.parametrize("content", ["", "[]", '{"groups": 1, "comparisons": [{"kind": "cue"}], "about": 2}', "{"])
def test_a_damaged_explanation_is_shown_as_such(tmp_path: Path, content: str) -> None:
    (tmp_path / EXPLANATION).write_text(content)
    found = read_explanation(tmp_path)
    assert found is not None
    assert found.problems
    page = run_page(Run("run3", "run3/report.html", "finished", explanation=found))
    assert "What decides" in page


def test_the_page_of_a_run_shows_what_decides(one_band: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(one_band, tmp_path / "root"))
    found = explained(root, "lr", Embeddings("lfcc", -1, "mean"))
    report_runs(root)
    page = (found.folder / "report.html").read_text()
    assert "frequency band: 4-5 kHz" in page.replace("<wbr>", "")
    assert "What the run needs" in page
    assert "3 times" in page
    (found.folder / EXPLANATION).unlink()
    report_runs(root)
    assert "What decides" not in (found.folder / "report.html").read_text()
