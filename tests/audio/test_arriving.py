"""Sound that arrives: pipes in every coding, whole or cut off; sources that stop and go on; microphones and none."""

import io
import itertools
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from src.audio import recorder
from src.audio.arriving import Chunk, Remark, open_file, patiently
from src.audio.pipe import Samples, open_pipe

RATE = 16_000
SOUND = np.random.default_rng(7).uniform(-0.9, 0.9, (1000, 2)).astype(np.float32)


class Drops:
    """A pipe that gives few bytes at a time, of sizes that fit no sample."""

    def __init__(self, content: bytes, sizes: tuple[int, ...] = (1, 5, 3, 1000)) -> None:
        self._content, self._sizes = io.BytesIO(content), itertools.cycle(sizes)

    def read(self, size: int = -1, /) -> bytes:
        return self._content.read(min(size, next(self._sizes)))


def wav(subtype: str | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, SOUND, RATE, format=options.get("format", "WAV"), subtype=subtype)
    return file.getvalue()


def heard(chunks: Iterator[Chunk]) -> tuple[np.ndarray, list[str]]:
    """Return all sound, and the texts of remarks."""
    sound, remarks = [np.empty((0, 2), np.float32)], []
    for chunk in chunks:
        if isinstance(chunk, Remark):
            remarks.append(chunk.text)
        else:
            sound.append(chunk)
    return np.concatenate(sound), remarks


@pytest.mark.parametrize("layout", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_from_a_pipe_is_wav_from_a_file(subtype: str, layout: str) -> None:
    content = wav(subtype, format=layout)
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    samples, chunks = open_pipe(Drops(content), None, None)
    assert (samples.rate, samples.channels) == (RATE, 2)
    sound, remarks = heard(chunks)
    assert remarks == []
    np.testing.assert_array_equal(sound, expected)


def test_raw_samples_are_those_of_the_wav_around_them() -> None:
    content = wav("PCM_16")
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    samples, chunks = open_pipe(Drops(content[44:]), RATE, 2)
    assert samples == Samples(RATE, 2)
    np.testing.assert_array_equal(heard(chunks)[0], expected)


@pytest.mark.parametrize("size", [0, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_wav_that_does_not_know_its_length_extends_to_the_end(size: int) -> None:
    content = wav("PCM_16")
    sound, remarks = heard(
        open_pipe(io.BytesIO(content[:40] + size.to_bytes(4, "little") + content[44:]), None, None)[1]
    )
    assert len(sound) == len(SOUND)
    assert remarks == []


def test_what_follows_the_sound_of_a_wav_is_no_sound() -> None:
    content = wav("PCM_16") + b"LIST\x04\0\0\0abcd"
    assert len(heard(open_pipe(io.BytesIO(content), None, None)[1])[0]) == len(SOUND)


@pytest.mark.parametrize(
    ("content", "rate", "n_heard", "said"),
    [
        (wav("PCM_16")[:-2000], None, 500, "the input ends 0.03 s before the end that its header states"),
        (wav("PCM_16")[:-2001], None, 499, "the input ends within a sample (3 of its 4 bytes)"),
        (wav("PCM_16")[44:-1], RATE, 999, "the input ends within a sample (3 of its 4 bytes)"),
    ],
)
def test_input_that_ends_too_early_is_told(content: bytes, rate: int | None, n_heard: int, said: str) -> None:
    sound, remarks = heard(open_pipe(Drops(content), rate, None if rate is None else 2)[1])
    assert len(sound) == n_heard
    assert remarks == [said]
    *_, last = open_pipe(Drops(content), rate, None if rate is None else 2)[1]
    assert isinstance(last, Remark) and last.is_early_end == (rate is None)  # raw samples promise no length


@pytest.mark.parametrize(
    ("content", "rate", "channels", "said"),
    [
        (b"", None, None, "no sound at all"),
        (b"", RATE, 1, "no sound at all"),
        *((wav(format=kind), RATE, 2, "neither a WAV nor raw") for kind in ("FLAC", "OGG", "AIFF", "AU", "CAF", "W64")),
        (b"ID3\x04" + bytes(100), RATE, 1, "decoded before: ffmpeg"),
        (b"\0\0\0\x20ftypM4A " + bytes(100), RATE, 1, "neither a WAV nor raw samples"),
        (b"ID3 and so on, an MP3", None, None, "state the `rate`"),
        (wav("PCM_16"), 8000, None, "`rate` is 8000, but the WAV from the pipe states 16000"),
        (wav("PCM_16"), None, 1, "`channels` is 1, but the WAV from the pipe states 2"),
        (wav("ULAW"), None, None, "WAV of coding 7 with 8 bits"),
        (wav("PCM_16")[:40], None, None, "ends before its samples begin"),
        (b"\0" * 100, 10, None, "`rate` must lie in 1000 to 768000 Hz, not 10"),
        (b"\0" * 100, RATE, 65, "`channels` must lie in 1 to 64, not 65"),
    ],
)
def test_pipes_that_cannot_be_read(content: bytes, rate: int | None, channels: int | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        open_pipe(io.BytesIO(content), rate, channels)


def test_a_source_that_stops_is_told_and_goes_on() -> None:
    def slow() -> Iterator[Chunk]:
        yield SOUND[:10]
        time.sleep(0.3)
        yield SOUND[10:20]

    first, stopped, back, second = patiently(slow(), patience=0.05)
    assert isinstance(first, np.ndarray)
    assert isinstance(second, np.ndarray)
    assert stopped == Remark("no sound for 0.05 s; waiting")
    assert isinstance(back, Remark)
    assert back.text.startswith("sound is back after 0.")


def test_a_source_that_stops_for_good_is_told() -> None:
    def endless() -> Iterator[Chunk]:
        time.sleep(60)
        yield SOUND

    assert next(patiently(endless(), patience=0.05)) == Remark("no sound for 0.05 s; waiting")


def test_what_goes_wrong_in_a_source_goes_wrong_for_its_reader() -> None:
    def broken() -> Iterator[Chunk]:
        yield SOUND
        raise ValueError("the cable broke")

    with pytest.raises(ValueError, match="the cable broke"):
        list(patiently(broken()))


def test_recordings_come_through_the_decoders_of_all_others(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", SOUND, 22_050)
    source = open_file(tmp_path / "a.flac")
    assert (source.name, source.rate, source.channels, source.is_live) == ("a.flac", 22_050, 2, False)
    np.testing.assert_array_equal(heard(source.chunks)[0], soundfile.read(tmp_path / "a.flac", dtype="float32")[0])
    with pytest.raises(FileNotFoundError, match="There is no recording"):
        open_file(tmp_path)
    (tmp_path / "b.wav").write_bytes(wav("PCM_16")[:-2000])
    with pytest.raises(ValueError, match=r"b\.wav cannot be used: truncated or corrupt"):
        open_file(tmp_path / "b.wav")
    (tmp_path / "c.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"c\.wav cannot be used: unreadable"):
        open_file(tmp_path / "c.wav")


class Device(types.ModuleType):
    """What a test needs of sounddevice: a device that records three blocks and loses one of them."""

    class PortAudioError(Exception):
        """As sounddevice's."""

    def __init__(self, *, is_there: bool = True) -> None:
        super().__init__("sounddevice")
        self.is_there = is_there

    def query_devices(self, kind: str) -> dict[str, Any]:
        if not self.is_there:
            raise self.PortAudioError("Error querying device -1")
        return {"name": "Microphone", "default_samplerate": 44_100.0}

    class InputStream:
        """Calls back as soon as it is entered."""

        def __init__(self, callback: Any, **about: Any) -> None:
            self.callback, self.about = callback, about

        def __enter__(self) -> None:
            for number in range(3):
                status = types.SimpleNamespace(input_overflow=number == 1)
                self.callback(np.full((self.about["blocksize"], 1), number, np.float32), 0, None, status)

        def __exit__(self, *_: object) -> None: ...


def test_a_microphone_records_and_tells_what_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Device())
    source = recorder.open_microphone()
    assert (source.name, source.rate, source.channels, source.is_live) == ("Microphone", 44_100, 1, True)
    first, gap, second, third = itertools.islice(source.chunks, 4)
    assert isinstance(gap, Remark)
    assert gap.is_gap
    assert [float(chunk.mean()) for chunk in (first, second, third) if isinstance(chunk, np.ndarray)] == [0, 1, 2]
    assert isinstance(first, np.ndarray)
    assert first.shape == (4410, 1)


def test_a_microphone_that_is_not_fetched_from_loses_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Device())
    monkeypatch.setattr(recorder, "WAITING_SECONDS", 0.3)
    chunks = list(itertools.islice(recorder.open_microphone().chunks, 2))
    assert [isinstance(chunk, Remark) for chunk in chunks] == [False, True]


def test_no_microphone_no_library_and_no_package_are_one_line_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Device(is_there=False))
    with pytest.raises(ValueError, match="No microphone can be opened"):
        recorder.open_microphone()
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ValueError, match="needs the package sounddevice"):
        recorder.open_microphone()
    monkeypatch.delitem(sys.modules, "sounddevice")
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="needs the library PortAudio"):
        recorder.open_microphone()
