"""Predictions: the scores of TestModel, what they mean, why to doubt them, and bad files that do not stop others."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.bands import without_band
from src.audio.io import load_waveform
from src.deploy.answers import as_text, write_answers
from src.deploy.found_files import find_files
from src.deploy.judge import Judge, open_judge
from src.deploy.pictures import hear, window_spans
from src.deploy.predict import Asked, Prediction, predict_files, probability_of
from src.deploy.reasons import Range, Sound, clipped_share, measure, measure_sound, reasons_of, training_ranges
from src.experiments.corpus.cue_table import read_cues
from src.experiments.runs.artefacts import read_scores
from src.experiments.runs.names import RunName
from src.experiments.training.trained import read_trained
from src.utils.dataset import read_files
from tests.conftest import RATE, tone
from tests.deploy.conftest import LR, TINY

pytestmark = [
    pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only"),
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture(scope="module")
def judge(judged: Path) -> Judge:
    return open_judge(read_trained(judged, RunName.parse(LR)), root=judged)


def write(path: Path, waveform: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, np.round(32767 * waveform).astype(np.int16), rate)  # the same samples in any format
    return path


def test_scores_decisions_and_probabilities_are_those_of_the_run(judged: Path, judge: Judge) -> None:
    table = read_scores(judged / "runs" / LR)
    paths = [judged / "datasets" / "corpus" / file for file in table["file"]]
    found = list(predict_files(judge, paths, Asked(prior=0.9)))
    np.testing.assert_allclose([each.score for each in found], table["score"], rtol=1e-13)
    odds = 9 * np.exp(table["score"])
    np.testing.assert_allclose([each.probability for each in found], odds / (1 + odds))
    accepted = table["score"] >= judge.threshold
    assert [each.decision for each in found] == ["bona fide" if yes else "spoof" for yes in accepted]
    assert {each.decision for each in found} == {"bona fide", "spoof"}
    assert all(each.far is None and not each.error for each in found)


def test_a_prior_moves_the_odds_and_nothing_else() -> None:
    assert probability_of(0.0, 0.2) == pytest.approx(0.2)
    assert probability_of(np.log(4), 0.2) == pytest.approx(0.5)
    assert probability_of(-1000.0) == 0.0
    for prior in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="`prior` must lie between 0 and 1"):
            Asked(prior=prior)


def test_eight_channels_another_rate_and_another_format_are_judged_as_what_they_hold(
    judge: Judge, tmp_path: Path
) -> None:
    waveform = tone(1, noise=0.02, seconds=1.5)
    same = np.repeat(waveform[:, None], 8, axis=1)
    paths = [
        write(tmp_path / "one.wav", waveform),
        write(tmp_path / "eight.wav", same),
        write(tmp_path / "named.without_suffix_of_its_own.flac", waveform),
        write(tmp_path / "other.wav", tone(1, noise=0.02, seconds=1.5, rate=44_100), 44_100),
    ]
    one, eight, flac, other = (each.score for each in predict_files(judge, paths))
    assert one == eight == flac
    assert other is not None


def test_a_bad_file_is_named_and_the_others_go_on(judge: Judge, tmp_path: Path) -> None:
    good = write(tmp_path / "good.wav", tone(1, noise=0.02))
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    write(tmp_path / "nothing.wav", np.empty(0))
    write(tmp_path / "silent.wav", np.zeros(8000))
    (tmp_path / "cut.wav").write_bytes(good.read_bytes()[:4000])
    (tmp_path / "encrypted.m4a").write_bytes(np.random.default_rng(7).bytes(5000))
    names = ["text.wav", "empty.wav", "nothing.wav", "silent.wav", "cut.wav", "encrypted.m4a", "gone.wav", "good.wav"]
    found = list(predict_files(judge, [tmp_path / name for name in names]))
    reasons = {Path(each.file).name: each.error for each in found}
    assert list(reasons) == names
    assert reasons["gone.wav"] == "there is no such file"
    assert "truncated" in reasons["cut.wav"]
    assert "silent" in reasons["silent.wav"]
    assert all(reasons[name] and "\n" not in reasons[name] for name in names[:-1])
    assert not found[-1].error
    assert all(each.score is None and each.decision == "" for each in found[:-1])


def test_names_steer_no_terminal_and_break_no_table(judge: Judge, tmp_path: Path) -> None:
    odd = [Prediction(os.fsdecode(name), 1.0, 0.5, "spoof") for name in (b"caf\xe9.wav", b"a\n\x1b[2J.wav")]
    said = as_text(odd)
    assert len(said.splitlines()) == 3 and "\x1b" not in said
    assert "caf\\xe9.wav" in said and "a\\x0a\\x1b[2J.wav" in said
    write_answers(tmp_path / "answers.csv", odd, judge, Asked())
    assert (tmp_path / "answers.csv").read_text().splitlines()[1].startswith("caf\\xe9.wav,")


def test_a_long_recording_is_read_in_windows_with_the_score_of_the_whole(
    judged: Path, judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "long.wav", tone(2, noise=0.02, seconds=7, rate=24_000), 24_000)
    detector = open_judge(read_trained(judged, RunName.parse(TINY)), root=judged, device="cpu")
    whole = detector.judge([path]).scores, measure(path)
    for module in ("judge", "reasons", "pictures"):
        monkeypatch.setattr(f"src.deploy.{module}.WHOLE_SECONDS", 2.0)
    monkeypatch.setattr("src.deploy.reasons.STRETCH_SECONDS", 1.0)
    monkeypatch.setattr("src.deploy.judge.load_waveform", None)
    np.testing.assert_allclose(detector.judge([path]).scores, whole[0], rtol=1e-5)
    assert measure(path).seconds == whole[1].seconds
    assert measure(path).cues["bandwidth"] == pytest.approx(whole[1].cues["bandwidth"], abs=100)
    monkeypatch.setattr("src.deploy.pictures.load_waveform", None)
    assert len(hear(judge, path).scores) == 11


def test_windows_cover_a_recording_and_a_silent_one_has_no_score(judge: Judge, tmp_path: Path) -> None:
    sound = tone(3, noise=0.02, seconds=2)
    path = write(tmp_path / "gap.wav", np.concatenate([sound, np.zeros(2 * RATE), sound]))
    heard = hear(judge, path)
    assert heard.seconds == 6
    assert heard.windows[0].tolist() == [0, 2]
    assert heard.windows[-1].tolist() == [4, 6]
    assert np.isnan(heard.scores).tolist() == (heard.windows[:, 0] == 2).tolist()
    assert heard.scores[0] == judge.score([load_waveform(path)[: 2 * RATE]])[0]
    assert heard.extremes.shape == (1000, 2)
    assert heard.extremes.max() == pytest.approx(sound.max(), abs=1e-4)
    assert [stop - start for start, stop in window_spans(100)] == [100]


def test_each_reason_is_told_where_it_is_there_and_only_there() -> None:
    rng = np.random.default_rng(7)
    good = 0.1 * rng.standard_normal(3 * RATE).astype(np.float32)
    assert reasons_of(measure_sound(good, 3.0), {}) == ()
    clipped = np.clip(5 * good, -0.5, 0.5)
    narrow = without_band(good, RATE, 3400, RATE / 2)
    gaps = good.copy()
    gaps[RATE:] *= 1e-4
    told = [reasons_of(measure_sound(each, 3.0), {}) for each in (clipped, narrow, gaps)]
    assert [reasons[0].split(" (")[0] for reasons in told] == ["clipped", "narrow band", "silent parts"]
    assert reasons_of(measure_sound(good[:8000], 0.5), {}) == ("too short (0.50 s)",)
    assert clipped_share(np.round(good, 4)) < 1e-4


def test_levels_unlike_those_of_the_training_are_told_with_both() -> None:
    sound = Sound(3.0, 0.0, 0.0, {"RMS level": -10.0, "bandwidth": 8000.0, "noise floor": -30.0})
    ranges = {"RMS level": Range(-30.0, -20.0), "bandwidth": Range(7000.0, 7500.0), "noise floor": Range(-20.0, -10.0)}
    assert reasons_of(sound, ranges) == (
        "louder than in training (-10 dBFS; there -30 dBFS to -20 dBFS)",
        "less background noise than in training (-30 dB; there -20 dB to -10 dB)",
    )


def test_ranges_are_those_of_the_cue_table_where_it_lies_there(judged: Path, tmp_path: Path, judge: Judge) -> None:
    root = Path(shutil.copytree(judged, tmp_path / "project"))
    trained = read_trained(root, RunName.parse(LR))
    (trained.recipe.dataset / "cues.csv").unlink(missing_ok=True)
    assert training_ranges(trained) == {}
    cues = read_cues(trained.recipe.dataset, read_files(trained.recipe.dataset)["file"].tolist())
    found = training_ranges(trained)
    assert found["RMS level"].low < cues["RMS level"].min() < cues["RMS level"].max() < found["RMS level"].high
    loud = write(tmp_path / "loud.wav", 0.9 * np.sign(tone(4, noise=0.02, seconds=1)))
    (prediction,) = predict_files(open_judge(trained, root=root), [loud])
    assert any(reason.startswith("louder than in training") for reason in prediction.reasons)


def test_files_are_found_by_name_folder_glob_and_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a/1.wav", "a/b/2.MP3", "a/b/notes.md", "c,d.wav", "e.strange"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text("# mine\n\na/1.wav\ngone.wav\n")

    def found(typed: str) -> list[str]:
        return [path.relative_to(tmp_path).as_posix() for path in find_files(typed)]

    assert found("a") == ["a/1.wav", "a/b/2.MP3"]
    assert found("c,d.wav") == ["c,d.wav"]
    assert found("e.strange, a/1.wav") == ["e.strange", "a/1.wav"]
    assert found("a/**/*.MP3,a") == ["a/b/2.MP3", "a/1.wav"]
    assert found("list.txt") == ["a/1.wav", "gone.wav"]
    (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbfa/1.wav\r\n")  # a byte order mark comes first
    assert found("windows.txt") == ["a/1.wav"]
    assert found("gone [1].wav,a/1.wav") == ["gone [1].wav", "a/1.wav"]  # brackets are more often part of a name
    assert len(found(",".join(f"{number}.wav" for number in range(1000)))) == 1000  # longer than any name may be


def test_a_glob_is_read_from_a_folder_whose_own_name_looks_like_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "set [1]"
    folder.mkdir()
    (folder / "a.wav").touch()
    monkeypatch.chdir(folder)
    assert find_files("*.wav") == [folder / "a.wav"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "Which recordings?"),
        (" , ", "Which recordings?"),
        ("empty", "empty holds no recording"),
        ("*.wav", r"nothing matches \*.wav"),
        ("nothing.txt", "names no recording"),
        ("binary.txt", "is no list of paths"),
    ],
)
def test_where_no_file_is_found_one_line_says_so(
    typed: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.md").touch()
    (tmp_path / "nothing.txt").write_text("\n# nothing\n")
    (tmp_path / "binary.txt").write_bytes(bytes(range(200, 256)))
    with pytest.raises(ValueError, match=said):
        find_files(typed)
