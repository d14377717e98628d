"""A stream and its events: the same whatever it comes in, and told whatever happens to it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from src.audio.arriving import Chunk, Remark, Source
from src.audio.io import SPEECH_RATE, UnusableAudio, load_waveform
from src.deploy.stream import Event, Listener, require_long_enough
from src.deploy.stream_settings import Settings
from src.deploy.suspicious import Origin, SuspiciousFolder

NOISE = np.random.default_rng(7).normal(0, 0.05, (200 * SPEECH_RATE, 1)).astype(np.float32)
TONE = (0.3 * np.sin(np.arange(200 * SPEECH_RATE) / 5))[:, None].astype(np.float32)
SETTINGS = Settings(window=1, hop=0.25, least=0.5, enter=0, leave=0.5)


def score(waveforms: Sequence[np.ndarray]) -> np.ndarray:
    """Score noise above and tones below 0, by how much of the window is loud."""
    return np.array([2.0 - 4 * np.mean(np.convolve(np.abs(one), np.ones(99) / 99, "same") > 0.1) for one in waveforms])


def spliced(*parts: tuple[np.ndarray, float]) -> np.ndarray:
    """Return seconds of sounds, one after another."""
    return np.concatenate([sound[: int(seconds * SPEECH_RATE)] for sound, seconds in parts])


def chunked(sound: np.ndarray, size: int) -> list[np.ndarray]:
    return [sound[at : at + size] for at in range(0, len(sound), size)]


def listen(
    chunks: Iterable[Chunk], folder: SuspiciousFolder | None = None, rate: int = SPEECH_RATE, **options: Any
) -> list[Event]:
    """Return the events of a stream."""
    events: list[Event] = []
    settings = options.get("settings", SETTINGS)
    listener = Listener(options.get("score", score), settings, settings.limits(9.0), events.append, folder)
    listener.listen(Source("it", rate, 1, iter(chunks)))
    return events


def named(events: list[Event], *names: str) -> list[Event]:
    return [event for event in events if event["event"] in names]


CALL = spliced((NOISE, 4), (TONE, 3), (NOISE, 3.1))


def test_scores_are_those_of_the_same_windows_cut_from_the_sound() -> None:
    events = named(listen(chunked(CALL, 1234)), "window")
    assert [event["start"] for event in events] == [*np.arange(0, 9.01, 0.25), 9.1]
    for event in events:
        start, end = (round(event[side] * SPEECH_RATE) for side in ("start", "end"))
        assert end - start == SPEECH_RATE
        assert event["score"] == score([CALL[start:end, 0]])[0]


@pytest.mark.parametrize("size", [160, 4_001, len(CALL)])
def test_chunks_of_any_size_give_the_same_events(size: int) -> None:
    assert listen(chunked(CALL, size)) == listen(chunked(CALL, 777))


def test_chunks_of_one_sample_give_the_same_events() -> None:
    sound = spliced((NOISE, 1), (TONE, 0.6), (NOISE, 0.23))[::2]
    settings = Settings(window=0.3, hop=0.1, least=0.1, enter=0, leave=0.5)
    one, two = (listen(chunked(sound, size), rate=8000, settings=settings) for size in (1, len(sound)))
    assert one == two
    assert named(one, "enter")


def test_a_spoofed_stretch_raises_one_alarm_which_ends() -> None:
    events = listen(chunked(CALL, 1600))
    (enter,), (leave,), (end,) = (named(events, name) for name in ("enter", "leave", "end"))
    # More than half of the first window below 0 is tone; the windows of 0.5 s after it agree.
    assert enter["start"] == pytest.approx(3.75, abs=0.26)
    assert enter["at"] == enter["start"] + 1.5
    assert leave["start"] == enter["start"]
    assert leave["end"] == pytest.approx(7.5, abs=0.26)
    assert leave["lowest"] == min(event["score"] for event in named(events, "window")) < -1.9
    spoofed = [event["end"] for event in named(events, "window") if event["decision"] == "spoof"]
    assert (spoofed[0], spoofed[-1]) == (enter["at"], pytest.approx(leave["at"] - 0.25))
    assert end == {
        "event": "end",
        "seconds": 10.1,
        "windows": 38,
        "unscored": 0,
        "alarms": 1,
        "suspicious_seconds": pytest.approx(leave["end"] - leave["start"]),
        "lowest": leave["lowest"],
        "kept": 0,
        "not_kept": 0,
        "ended_by": "its end",
    }


def test_the_threshold_of_the_run_is_the_default() -> None:
    limits = Settings().limits(-0.4)
    assert (limits.enter, limits.leave, limits.least) == (-0.4, pytest.approx(-0.4 + 0.619, abs=1e-3), SPEECH_RATE)
    assert Settings(leave=3.0).limits(-0.4, is_calibrated=False).leave == 3
    with pytest.raises(ValueError, match="no log-likelihood ratios, so there is no usual distance: give `leave`"):
        Settings().limits(-0.4, is_calibrated=False)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"window": 0}, "`window` must be above 0 and at most 60 s, not 0"),
        ({"window": 61}, "`window`"),
        ({"window": float("nan")}, "`window`"),
        ({"hop": 5}, "`hop` must be above 0 and at most the window of 4 s"),
        ({"hop": 0}, "`hop`"),
        ({"least": -1}, "`least` must be 0 to 60 s, not -1"),
    ],
)
def test_wrong_settings(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**wrong)


def test_a_stream_without_a_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"it holds no sound \(zero samples\)"):
        listen([])


def test_a_stream_shorter_than_a_window_is_one_window() -> None:
    (window,) = named(listen(chunked(NOISE[:8000], 160)), "window")
    assert (window["start"], window["end"]) == (0, 0.5)


def test_silence_and_samples_that_are_no_numbers_are_told_and_end_an_alarm() -> None:
    broken = spliced((NOISE, 2), (TONE, 3), (np.zeros_like(TONE), 4), (NOISE, 2))
    broken[-SPEECH_RATE] = np.nan
    events = listen(chunked(broken, 1600))
    reasons = [event["reason"].split(" (")[0] for event in named(events, "unscored")]
    assert reasons == ["silent"] * 13 + ["not finite"] * 4
    (leave,) = named(events, "leave")
    assert leave["at"] == 6.25  # the window up to 5.75 s is three quarters silence; two silent ones follow it
    assert named(events, "end")[0]["unscored"] == 17


def test_what_a_run_cannot_use_is_told() -> None:
    def refuse(waveforms: Sequence[np.ndarray]) -> np.ndarray:
        raise UnusableAudio("too short (8 samples at 16000 Hz; a frame needs 400)")

    events: list[Event] = []
    listener = Listener(refuse, SETTINGS, SETTINGS.limits(0), events.append)
    with pytest.raises(ValueError, match=r"it: none of 1 windows can be scored \(too short \(8 samples at .*\)\)\."):
        listener.listen(Source("it", SPEECH_RATE, 1, iter([NOISE[:8]])))
    assert named(events, "unscored")[0]["reason"].startswith("too short (8 samples")
    with pytest.raises(ValueError, match=r"`window` of 1 s is too short for run0: too short \(8 samples"):
        require_long_enough(refuse, SETTINGS, "run0")
    require_long_enough(score, SETTINGS, "run0")


def test_a_gap_ends_windows_and_alarms() -> None:
    gap = Remark("sound was lost", is_gap=True)
    events = listen([*chunked(spliced((TONE, 3)), 1600), gap, *chunked(spliced((TONE, 3)), 1600)])
    assert [(event["at"], event["start"], event["end"]) for event in named(events, "leave")] == [(3, 0, 3), (6, 3, 6)]
    assert {"event": "remark", "at": 3.0, "text": "sound was lost"} in events
    assert not [event for event in named(events, "window") if event["start"] < 3 < event["end"]]


def test_a_remark_alone_changes_nothing() -> None:
    plain = listen(chunked(CALL, 1600))
    chunks: list[Chunk] = list(chunked(CALL, 1600))
    told = listen([*chunks[:50], Remark("no sound for 5 s; waiting"), *chunks[50:]])
    assert [event for event in told if event["event"] != "remark"] == plain


@pytest.mark.parametrize(
    ("stop", "said"), [(KeyboardInterrupt, "Ctrl-C"), (BrokenPipeError, "nobody reading its events")]
)
def test_a_listener_that_is_stopped_ends_with_its_totals(stop: type[BaseException], said: str) -> None:
    def stopped() -> Iterable[Chunk]:
        yield spliced((TONE, 3))
        raise stop

    events = listen(stopped())
    assert [event["event"] for event in events[-2:]] == ["leave", "end"]
    assert (events[-1]["ended_by"], events[-1]["alarms"], events[-1]["seconds"]) == (said, 1, 3)


def test_a_recording_that_breaks_off_tells_what_was_heard() -> None:
    def broken() -> Iterable[Chunk]:
        yield spliced((TONE, 3))
        raise UnusableAudio("truncated or corrupt")

    events: list[Event] = []
    listener = Listener(score, SETTINGS, SETTINGS.limits(0), events.append)
    with pytest.raises(ValueError, match=r"it cannot be used after 3\.00 s: truncated or corrupt\."):
        listener.listen(Source("it", SPEECH_RATE, 1, iter(broken())))
    assert (events[-1]["event"], events[-1]["ended_by"]) == ("end", "truncated or corrupt")


def test_an_input_that_ends_before_its_stated_end_is_an_error() -> None:
    events: list[Event] = []
    listener = Listener(score, SETTINGS, SETTINGS.limits(0), events.append)
    chunks: list[Chunk] = [spliced((TONE, 3)), Remark("the input ends 2.00 s before its end", is_early_end=True)]
    with pytest.raises(ValueError, match=r"it ends too early, after 3\.00 s: the input ends 2\.00 s before its end\."):
        listener.listen(Source("it", SPEECH_RATE, 1, iter(chunks)))
    assert len(named(events, "leave", "remark", "end")) == 3
    assert events[-1]["ended_by"] == "the input ends 2.00 s before its end"


def kept(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "suspicious.csv", keep_default_na=False)


def suspicious(folder: Path, person: str = "stream-1", megabytes: float = 500) -> SuspiciousFolder:
    return SuspiciousFolder(folder, Origin(person, "it", "run0"), megabytes)


def test_the_sound_of_an_alarm_is_kept_with_its_scores_and_no_label(tmp_path: Path) -> None:
    events = listen(chunked(CALL, 1600), suspicious(tmp_path / "kept"))
    (leave,) = named(events, "leave")
    (row,) = kept(tmp_path / "kept").to_dict("records")
    assert (row["label"], row["speaker"], row["source"], row["run"]) == ("", "stream-1", "it", "run0")
    assert (row["start"], row["end"], row["lowest"]) == (leave["start"], leave["end"], round(leave["lowest"], 4))
    windows = [event for event in named(events, "window") if leave["start"] <= event["start"] < leave["end"] - 0.9]
    assert row["mean"] == pytest.approx(np.mean([event["score"] for event in windows]), abs=1e-4)
    sound = load_waveform(tmp_path / "kept" / row["file"])
    expected = CALL[round(leave["start"] * SPEECH_RATE) : round(leave["end"] * SPEECH_RATE), 0]
    np.testing.assert_allclose(sound, expected, atol=2**-15)
    assert (events[-1]["kept"], events[-1]["not_kept"]) == (1, 0)


def test_long_alarms_become_clips_that_join_without_a_seam(tmp_path: Path) -> None:
    settings = Settings(window=1, hop=1, least=1, enter=0, leave=0.5)
    sound = spliced((NOISE, 2), (TONE, 33), (NOISE, 3))
    (leave,) = named(listen(chunked(sound, 16_000), suspicious(tmp_path / "kept"), settings=settings), "leave")
    table = kept(tmp_path / "kept")
    assert (leave["start"], leave["end"]) == (2, 35)
    assert table["start"].tolist() == [2, *table["end"][:-1]]
    assert table["end"].iloc[-1] == 35
    assert (table["end"] - table["start"]).between(5, 10).all()
    joined = np.concatenate([load_waveform(tmp_path / "kept" / file) for file in table["file"]])
    np.testing.assert_allclose(joined, sound[2 * SPEECH_RATE : 35 * SPEECH_RATE, 0], atol=2**-15)


def test_a_full_folder_keeps_what_it_has_and_says_so_once(tmp_path: Path) -> None:
    sound = spliced((TONE, 3), (NOISE, 3), (TONE, 3), (NOISE, 3), (TONE, 3), (NOISE, 3))
    events = listen(chunked(sound, 16_000), suspicious(tmp_path / "kept", megabytes=0.15))
    assert (events[-1]["alarms"], events[-1]["kept"], events[-1]["not_kept"]) == (3, 1, 2)
    (remark,) = named(events, "remark")
    assert remark["text"].endswith("is full (0.15 MB): no more is kept")
    assert len(kept(tmp_path / "kept")) == 1
    size = sum(path.stat().st_size for path in (tmp_path / "kept").rglob("*.flac"))
    assert size < 150_000
    again = listen(chunked(sound, 16_000), suspicious(tmp_path / "kept", "stream-2", megabytes=0.1))
    assert (again[-1]["kept"], again[-1]["not_kept"]) == (0, 3)


def test_a_folder_grows_by_other_streams_and_not_by_the_same_one(tmp_path: Path) -> None:
    for person in ("recording-a", "recording-b", "recording-a"):
        listen(chunked(CALL, 1600), suspicious(tmp_path / "kept", person))
        table = kept(tmp_path / "kept").assign(label="spoof", segments="0-1")  # somebody labels in between
        table.to_csv(tmp_path / "kept" / "suspicious.csv", index=False)
    assert table["speaker"].tolist() == ["recording-a", "recording-b"]


def test_a_clip_whose_row_a_kill_prevented_gets_its_row_from_the_same_recording(tmp_path: Path) -> None:
    listen(chunked(CALL, 1600), suspicious(tmp_path / "kept", "recording-a"))
    table = kept(tmp_path / "kept")
    table.iloc[:0].to_csv(tmp_path / "kept" / "suspicious.csv", index=False)
    listen(chunked(CALL, 1600), suspicious(tmp_path / "kept", "recording-a"))
    assert kept(tmp_path / "kept").equals(table)


def test_a_table_that_an_editor_left_without_a_last_line_end_is_gone_on_with(tmp_path: Path) -> None:
    folder = suspicious(tmp_path / "kept")
    for number in range(2):
        folder.extend(number * SPEECH_RATE, CALL[:SPEECH_RATE], (number + 1) * SPEECH_RATE, -1.0)
        folder.close()
        table = tmp_path / "kept" / "suspicious.csv"
        table.write_text(table.read_text().rstrip("\n"))
    assert kept(tmp_path / "kept")["start"].tolist() == [0, 1]


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "else.txt").touch()
    with pytest.raises(ValueError, match=r"is not empty and holds no suspicious\.csv: give `log_suspicious` a folder"):
        suspicious(tmp_path)
    (tmp_path / "suspicious.csv").write_text("file,label\n")
    with pytest.raises(ValueError, match="has the columns file, label, not file, label, speaker"):
        suspicious(tmp_path)
    with pytest.raises(ValueError, match="`log_megabytes` must be above 0, not 0"):
        suspicious(tmp_path / "new", megabytes=0)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is not empty"):
        suspicious(tmp_path / "file")
