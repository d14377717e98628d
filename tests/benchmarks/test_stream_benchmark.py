"""The benchmark of streams: recordings whose truth is known, alarms compared with it, and every section in small."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import spliced, stream
from benchmarks.spliced import Clip, Spliced, judge_alarms, splice_clips
from src.audio.io import SPEECH_RATE
from tests.typed import run_fab


def clip(value: float, is_spoof: bool, system: str = "") -> Clip:
    return Clip(np.full(2 * SPEECH_RATE, value, np.float32), is_spoof, "somebody", system)


def test_the_truth_of_a_spliced_recording_is_where_the_spoofs_are() -> None:
    clips = [clip(1, False), clip(2, False), clip(-1, True, "a"), clip(-2, True, "b")]
    made = splice_clips(clips, 240, np.random.default_rng(7))
    truth = np.zeros(len(made.waveform), bool)
    for start, end in made.spans:
        assert 5 <= end - start <= 17
        truth[round(start * SPEECH_RATE) : round(end * SPEECH_RATE)] = True
    np.testing.assert_array_equal(made.waveform < 0, truth)
    assert made.seconds >= 240
    assert np.unique(made.waveform).tolist() == [-2, -1, 1, 2]
    again = splice_clips(clips, 240, np.random.default_rng(7))
    np.testing.assert_array_equal(made.waveform, again.waveform)


def test_alarms_are_compared_with_the_truth() -> None:
    truth = Spliced(np.zeros(1000 * SPEECH_RATE), [(100, 110), (200, 210), (300, 310), (400, 410)])
    alarms = [(103, 120), (190, 205), (315, 316), (500, 510), (600, None)]
    events = []
    for start, end in alarms:
        events += [{"event": "enter", "at": start}, *([{"event": "leave", "at": end}] if end else [])]
    judged = judge_alarms(events, truth, window=4)
    # In time; raised before and still there; too late by a second; none.
    np.testing.assert_array_equal(judged.delays, [3, 0, np.nan, np.nan])
    assert judged.n_false == 4
    assert judged.bonafide_hours == pytest.approx((1000 - 4 * 14) / 3600)
    assert str(judged).startswith("2 of 4 spoofed stretches detected; time to detection: median 1.5 s")


@pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")
@pytest.mark.usefixtures("one_thread")
def test_it_measures_every_section(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("src.experiments.training.trainer.save_figure", lambda *_: None)
    monkeypatch.setattr(spliced, "BONAFIDE_SECONDS", (2, 3))
    monkeypatch.setattr(spliced, "SPOOFED_SECONDS", (2, 3))
    assert run_fab("TrainModel --dataset=datasets/corpus --backbone=lfcc --classifier=lr", project, monkeypatch) == 0
    capsys.readouterr()
    flags = [f"--root={project}", f"--dataset={project}/datasets/corpus", "--run=run0", "--window=1", "--least=0.5"]
    flags += ["--minutes=0.2", "--speed-minutes=0.1", "--memory-minutes=0.1"]
    monkeypatch.setattr("sys.argv", ["stream", *flags])
    stream.main()
    said = capsys.readouterr().out
    for size in (1600, 7, 16000):
        assert f"chunks: of {size} samples: largest difference of" in said
    assert said.count("scores 0\n") == 3
    assert "speed: real-time factor 0.0" in said
    assert "speed: latency" in said
    for seconds in ("0.5", "1", "2", "4"):
        assert f"eer: {seconds} s: " in said
    assert "alarms: enter" in said
    assert "spoofed stretches detected" in said
    assert "memory: " in said


def test_a_section_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["stream", "--sections=speed,size"])
    with pytest.raises(SystemExit):
        stream.main()
    assert "no such section: size" in capsys.readouterr().err


def test_latency_counts_the_wait_for_windows_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("benchmarks.stream.time.perf_counter", lambda: now)
    clock = stream.Clock()
    for number, _ in enumerate(clock.chunks(np.zeros(3 * stream.CHUNK)), start=1):
        now += 0.25  # longer than the 0.1 s of a chunk
        clock.note({"event": "window", "end": number / 10})
    assert clock.latencies == pytest.approx([0.25, 0.4, 0.55])
    assert clock.computing == pytest.approx(0.75)
