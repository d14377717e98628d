"""Recordings of every format, rate and number of channels come in as the sound that they hold, or are refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.io import (
    SPEECH_RATE,
    AudioHeader,
    UnusableAudio,
    check_usable,
    load_waveform,
    read_header,
    save_waveform,
)

SUFFIXES = ("wav", "flac", "mp3", "ogg")
RATES = (8_000, 16_000, 24_000, 44_100, 48_000)
LOSSY = ("mp3", "ogg")
PITCH = 440.0
Writer = Callable[[Path], None]


def sine(rate: int, *, seconds: float = 1.0, pitch: float = PITCH, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)


def write_samples(samples: object, *, rate: int = SPEECH_RATE, subtype: str | None = None) -> Writer:
    return lambda path: soundfile.write(path, np.asarray(samples), rate, subtype=subtype)


def write_bytes(content: bytes) -> Writer:
    return lambda path: path.write_bytes(content) and None


def write_part_of_a_file(share: float) -> Writer:
    def write(path: Path) -> None:
        soundfile.write(path, sine(SPEECH_RATE), SPEECH_RATE)
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])

    return write


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_rate_and_channel_count_becomes_the_same_sound(
    suffix: str, rate: int, n_channels: int, tmp_path: Path
) -> None:
    path = tmp_path / f"clip.{suffix}"
    channels = [sine(rate), sine(rate, level=0.3)][:n_channels]
    soundfile.write(path, np.stack(channels, axis=1), rate)
    waveform = load_waveform(path)
    assert waveform.dtype == np.float32
    assert waveform.shape == (SPEECH_RATE,)
    assert np.abs(waveform).max() <= 1
    assert np.abs(np.fft.rfft(waveform)).argmax() == PITCH  # one second: the bins are 1 Hz apart
    expected = sine(SPEECH_RATE, level=0.5 if n_channels == 1 else 0.4)
    inside = slice(2000, -2000)
    np.testing.assert_allclose(waveform[inside], expected[inside], atol=0.07 if suffix in LOSSY else 2e-4)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_header_knows_the_duration_that_decoding_gives(suffix: str, rate: int, tmp_path: Path) -> None:
    path = tmp_path / f"clip.{suffix}"
    soundfile.write(path, sine(rate, seconds=0.7321), rate)
    header = read_header(path)
    n_samples = int(0.7321 * rate)
    assert header.duration == n_samples / rate
    assert (header.rate, header.channels) == (rate, 1)
    assert header.encoding.startswith(suffix.upper())
    assert len(load_waveform(path, rate)) == n_samples
    assert len(load_waveform(path)) == pytest.approx(header.duration * SPEECH_RATE, abs=1)


@pytest.mark.parametrize(
    ("subtype", "step"),
    [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-23), ("FLOAT", 2**-24), ("DOUBLE", 0)],
)
def test_every_depth_of_a_wav_file_gives_the_same_samples(subtype: str, step: float, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", sine(SPEECH_RATE), SPEECH_RATE, subtype=subtype)
    np.testing.assert_allclose(load_waveform(tmp_path / "clip.wav"), sine(SPEECH_RATE), atol=step + 1e-7)


def test_what_lies_above_the_new_band_is_removed_and_not_folded_into_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", sine(48_000) + sine(48_000, pitch=12_000, level=0.4), 48_000)
    spectrum = np.abs(np.fft.rfft(load_waveform(tmp_path / "clip.wav") * np.hanning(SPEECH_RATE)))
    assert spectrum[4_000 - 5 : 4_000 + 5].max() < 1e-4 * spectrum.max()


def test_another_rate_can_be_asked_for(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", sine(48_000), 48_000)
    waveform = load_waveform(tmp_path / "clip.wav", rate=8_000)
    assert len(waveform) == 8_000
    assert np.abs(np.fft.rfft(waveform)).argmax() == PITCH


def test_floating_samples_beyond_full_scale_are_scaled_as_a_whole(tmp_path: Path) -> None:
    loud = sine(SPEECH_RATE, level=2.5)
    soundfile.write(tmp_path / "clip.wav", loud, SPEECH_RATE, subtype="FLOAT")
    waveform = load_waveform(tmp_path / "clip.wav")
    assert np.abs(waveform).max() == 1
    np.testing.assert_allclose(waveform, loud / np.abs(loud).max(), atol=1e-6)


def test_the_ripple_of_resampling_stays_within_full_scale(tmp_path: Path) -> None:
    square = np.sign(sine(44_100))
    soundfile.write(tmp_path / "clip.wav", square, 44_100, subtype="FLOAT")
    assert np.abs(load_waveform(tmp_path / "clip.wav")).max() == 1


SILENT = r"^silent \(no sample above -80 dBFS\)$"
UNUSABLE = {
    "no bytes": ("wav", write_bytes(b""), "^unreadable "),
    "garbage": ("wav", write_bytes(bytes(range(256)) * 40), "^unreadable "),
    "garbage called flac": ("flac", write_bytes(b"not a sound at all " * 100), "^unreadable "),
    "garbage called mp3": ("mp3", write_bytes(b"\x00" * 3000), "^unreadable "),
    "a page of HTML called ogg": ("ogg", write_bytes(b"<html>404</html>"), "^unreadable "),
    "wav cut in its header": ("wav", write_part_of_a_file(0.0006), "^unreadable "),
    "mp3 cut in its header": ("mp3", write_part_of_a_file(0.003), r"^unreadable \((?!File does not exist)"),
    "flac cut in the middle": ("flac", write_part_of_a_file(0.5), "^(unreadable|truncated or corrupt) "),
    "no samples": ("wav", write_samples(np.zeros(0)), r"^empty \(no samples\)$"),
    "mute": ("flac", write_samples(np.zeros(1600)), SILENT),
    "mute at another rate": ("wav", write_samples(np.zeros(4800), rate=48_000), SILENT),
    "two steps of 16 bits": ("wav", write_samples(np.tile([0, 2 / 2**15], 800)), SILENT),
    "constant": ("wav", write_samples(np.full(1600, 0.4)), SILENT),
    "channels that cancel": ("wav", write_samples(np.tile([0.4, -0.4], (1600, 1))), SILENT),
    "NaN": (
        "wav",
        write_samples([0.1, np.nan, 0.3, np.nan], subtype="FLOAT"),
        r"^not finite \(2 of 4 samples are NaN or infinite\)$",
    ),
    "infinite": ("wav", write_samples([0.1, np.inf, 0.3], subtype="FLOAT"), r"^not finite \(1 of 3 "),
    "infinite on both sides": ("wav", write_samples([[0.1, 0.2], [np.inf, -np.inf]], subtype="FLOAT"), "^not finite"),
}


@pytest.mark.parametrize(("suffix", "write", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_is_refused_with_its_reason(
    suffix: str, write: Writer, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / f"clip.{suffix}"
    write(path)
    with pytest.raises(UnusableAudio, match=reason) as refused:
        load_waveform(path)
    assert len(str(refused.value).splitlines()) == 1
    assert path.name not in str(refused.value), "a reason is the reason alone"


@pytest.mark.parametrize(
    "kind",
    [kind for kind, (_, _, reason) in UNUSABLE.items() if not reason.startswith((SILENT, "^not"))],
)
def test_the_header_of_what_cannot_be_decoded_is_refused_as_well(kind: str, tmp_path: Path) -> None:
    suffix, write, reason = UNUSABLE[kind]
    write(tmp_path / f"clip.{suffix}")
    if kind == "flac cut in the middle":
        assert read_header(tmp_path / "clip.flac").duration == 1, "a header cannot know what comes after it"
        return
    with pytest.raises(UnusableAudio, match=reason):
        read_header(tmp_path / f"clip.{suffix}")


@pytest.mark.parametrize("read", [read_header, load_waveform])
def test_a_recording_that_is_not_there_is_no_unusable_one(read: Callable[[Path], object], tmp_path: Path) -> None:
    for path in (tmp_path / "absent.wav", tmp_path):
        with pytest.raises(FileNotFoundError, match="There is no recording"):
            read(path)


@pytest.mark.parametrize(("level", "usable"), [(0.99e-4, False), (1.01e-4, True)])
@pytest.mark.parametrize("offset", [0.0, 0.3, -0.9])
def test_silence_ends_80_db_below_full_scale_whatever_the_offset(level: float, usable: bool, offset: float) -> None:
    waveform = offset + level * np.tile([1.0, -1.0], 500)
    if usable:
        check_usable(waveform)
    else:
        with pytest.raises(UnusableAudio, match="silent"):
            check_usable(waveform)


def test_saving_and_loading_changes_nothing_but_16_bits(tmp_path: Path) -> None:
    waveform = np.random.default_rng(3).uniform(-1, 1, 4000).astype(np.float32)
    save_waveform(tmp_path / "clip.flac", waveform)
    assert read_header(tmp_path / "clip.flac") == AudioHeader(0.25, SPEECH_RATE, 1, "FLAC PCM_16")
    np.testing.assert_allclose(load_waveform(tmp_path / "clip.flac"), waveform, atol=2**-15)


@pytest.mark.parametrize("bad", [1.001, -1.001, np.nan, np.inf])
def test_what_16_bits_would_clip_is_not_saved(bad: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"within \[-1, 1\] .* clip.flac is"):
        save_waveform(tmp_path / "clip.flac", np.array([0.1, bad, 0.2]))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot be written"):
        save_waveform(tmp_path / "absent" / "clip.flac", sine(SPEECH_RATE))
