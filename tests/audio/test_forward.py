"""Stretches read in one pass are those that are read one by one, also where the decoder cannot seek."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from src.audio import stretches
from src.audio.io import count_samples, load_stretch, load_stretches
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


@pytest.fixture(params=["wav", "mp3", "m4a", "stereo.mp3"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    waveform, rate = 0.3 * np.random.default_rng(7).standard_normal(3 * 24_000).clip(-3, 3), 24_000
    path = tmp_path / f"sound.{request.param}"
    if request.param == "m4a":
        return write_m4a(path, waveform, rate)
    soundfile.write(path, np.stack([waveform, waveform], axis=1) if "stereo" in request.param else waveform, rate)
    return path


def test_stretches_in_one_pass_are_those_read_one_by_one(path: Path) -> None:
    spans = [span for span in SPANS if span[0] < count_samples(path)]
    for (start, stop), stretch in zip(spans, load_stretches(path, spans), strict=True):
        np.testing.assert_array_equal(stretch, load_stretch(path, start, stop))


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
