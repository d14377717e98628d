"""Stretches read in one pass are those that are read one by one, also where the decoder cannot seek."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from src.audio import stretches
from src.audio.by_ffmpeg import FfmpegRecording
from src.audio.by_libsndfile import LibsndfileRecording
from src.audio.io import Stretches, count_samples, load_stretch, load_stretches, read_header
from src.audio.recording import Recording

SPANS = [(0, 9000), (100, 8000), (8000, 24_000), (23_000, 40_000), (40_000, 41_000), (47_000, 60_000)]


def write_m4a(path: Path, waveform: np.ndarray, rate: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(waveform[None].astype(np.float32), format="fltp", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(params=["wav", "mp3", "m4a", "stereo.mp3", "gsm.wav"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    waveform, rate = 0.3 * np.random.default_rng(7).standard_normal(3 * 24_000).clip(-3, 3), 24_000
    path = tmp_path / f"sound.{request.param}"
    if request.param == "m4a":
        return write_m4a(path, waveform, rate)
    if request.param == "gsm.wav":
        soundfile.write(path, waveform, rate, subtype="GSM610")
        return path
    soundfile.write(path, np.stack([waveform, waveform], axis=1) if "stereo" in request.param else waveform, rate)
    return path


def test_stretches_in_one_pass_are_those_read_one_by_one(path: Path) -> None:
    spans = [span for span in SPANS if span[0] < count_samples(path)]
    for (start, stop), stretch in zip(spans, load_stretches(path, spans), strict=True):
        np.testing.assert_array_equal(stretch, load_stretch(path, start, stop))


def test_stretches_may_come_in_any_order(path: Path) -> None:
    stretches = Stretches(path)
    for start, stop in [(23_000, 40_000), (100, 8000), (40_000, 41_000), (0, 9000), (8000, 9000)]:
        np.testing.assert_array_equal(stretches.read(start, stop), load_stretch(path, start, stop))


@pytest.mark.parametrize("kind", ["m4a", "gsm.wav"])
def test_what_cannot_seek_is_decoded_once_however_many_windows_there_are(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """k windows one by one cost what k^2 / 2 of them are long."""
    n_samples, path = 8 * 16_000, tmp_path / f"sound.{kind}"
    sound = 0.1 * np.sin(np.arange(n_samples) / 9)
    if kind == "m4a":
        write_m4a(path, sound, 16_000)
    else:
        soundfile.write(path, sound, 16_000, subtype="GSM610")
    assert read_header(path).decodes_from_beginning
    decoded: list[int] = []
    for recording in (FfmpegRecording, LibsndfileRecording):
        real = recording.blocks

        def counting(self: Recording, real: Callable[[Recording], Iterator[np.ndarray]] = real) -> Iterator[np.ndarray]:
            for block in real(self):
                decoded.append(len(block))
                yield block

        monkeypatch.setattr(recording, "blocks", counting)
    edges = list(range(0, n_samples, 4000))
    assert len([*load_stretches(path, pairwise(edges))]) == len(edges) - 1
    assert sum(decoded) <= n_samples + 16_000 + 2**16, "the first window is decoded by itself"


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg"])
def test_what_can_seek_is_known(kind: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / f"sound.{kind}", 0.1 * np.sin(np.arange(16_000) / 9), 16_000)
    assert not read_header(tmp_path / f"sound.{kind}").decodes_from_beginning


def test_a_recording_that_cannot_seek_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_m4a(tmp_path / "sound.m4a", 0.1 * np.sin(np.arange(8 * 16_000) / 9), 16_000)
    opened: list[Recording] = []

    def counting(found: Path) -> Recording:
        opened.append(open_recording(found))
        return opened[-1]

    open_recording = stretches.open_recording
    monkeypatch.setattr(stretches, "open_recording", counting)
    edges = list(range(0, 8 * 16_000, 4000))
    assert sum(map(len, load_stretches(path, pairwise(edges)))) == edges[-1]
    assert len(opened) == 1
