"""A few outliers that would silence all other samples are refused; other scales are not (fault 21, docs/faults.md)."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.io import SPEECH_RATE, UnusableAudio, load_stretch, load_waveform
from tests.audio.made_files import buzz


def written(samples: np.ndarray, path: Path, *, rate: int = SPEECH_RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("n_outliers", [1, 3, 20])
@pytest.mark.parametrize("value", [1e3, -1e9, 3e38])
def test_outliers_are_refused(value: float, n_outliers: int, rate: int, subtype: str, tmp_path: Path) -> None:
    samples = buzz(2, rate=rate)
    samples[1_000 : 1_000 + n_outliers] = value
    path = written(samples, tmp_path / "clip.wav", rate=rate, subtype=subtype)
    with pytest.raises(UnusableAudio, match=r"^(1 outlier|[0-9]+ outliers) "):
        load_waveform(path)
    with pytest.raises(UnusableAudio, match="outlier"):
        load_stretch(path, 0, SPEECH_RATE)
    assert len(load_stretch(path, SPEECH_RATE, 2 * SPEECH_RATE)) == SPEECH_RATE, "a stretch without them can be used"


@pytest.mark.parametrize("scale", [2.0**7, 2.0**15, 2.0**23, 2.0**31])
def test_the_scale_of_whole_numbers_is_no_outlier(scale: float, tmp_path: Path) -> None:
    sound = buzz(2)
    waveform = load_waveform(written(sound * scale, tmp_path / "clip.wav"))
    np.testing.assert_allclose(waveform, sound / max(np.abs(sound).max(), 1 / scale), atol=1e-6)


def test_an_outlier_among_samples_of_16_bits_is_refused_as_well(tmp_path: Path) -> None:
    samples = np.round(buzz(2) * 32767)
    samples[1_000] = 1e12
    with pytest.raises(UnusableAudio, match=r"^1 outlier "):
        load_waveform(written(samples, tmp_path / "clip.wav"))


def test_a_click_is_a_click(tmp_path: Path) -> None:
    quiet = 0.01 * buzz(2)
    quiet[1_000] = 1.5
    waveform = load_waveform(written(quiet, tmp_path / "clip.wav"))
    np.testing.assert_allclose(waveform, quiet / 1.5, atol=1e-6)


def test_a_click_in_a_pause_of_a_recording_of_16_bits_is_a_click(tmp_path: Path) -> None:
    samples = np.concatenate([np.zeros(SPEECH_RATE), np.round(buzz(2) * 32767)])
    samples[5_000] = 8_000
    path = written(samples, tmp_path / "clip.wav")
    assert load_stretch(path, 0, SPEECH_RATE)[5_000] == 1
    assert len(load_waveform(path)) == 3 * SPEECH_RATE
