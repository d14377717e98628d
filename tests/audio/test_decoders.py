"""FLAC files that libsndfile refuses are read by FFmpeg, to the last bit; corrupt files are refused by both."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from src.audio.decoders import Format, UnusableAudio, open_recording, read_format, read_frames
from src.audio.io import load_waveform, read_header
from tests.audio.made_files import buzz, encode, mp3, pcm

BLOCK = 4096
"""Samples of a FLAC frame, as libsndfile writes them."""


def noise(n_frames: int, channels: int, bits: int) -> np.ndarray:
    """Return noise of a third of full scale that a file of so many bits holds exactly."""
    steps = 2 ** (bits - 1)
    return np.round(np.random.default_rng(n_frames).uniform(-1, 1, (n_frames, channels)) * steps / 3) / steps


def forget_length(path: Path) -> Path:
    """Make a FLAC what an encoder writes into a pipe: the 36 bits of STREAMINFO that count the samples are zero."""
    content = bytearray(path.read_bytes())
    assert content[:4] == b"fLaC"
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


@pytest.fixture
def flac(tmp_path: Path) -> Path:
    """Return a FLAC of four seconds: 15 frames of 4096 samples and one of 2560, of 8 kB or so each."""
    soundfile.write(tmp_path / "clip.flac", noise(64_000, 1, 16), 16_000)
    return tmp_path / "clip.flac"


@pytest.mark.parametrize("n_frames", [1, 15, 4_095, 4_096, 4_097, 30_000])
@pytest.mark.parametrize(
    ("bits", "channels", "rate"), [(16, 1, 16_000), (16, 2, 44_100), (24, 1, 16_000), (24, 2, 48_000), (8, 1, 8_000)]
)
def test_a_flac_of_unknown_length_holds_the_samples_of_the_original(
    bits: int, channels: int, rate: int, n_frames: int, tmp_path: Path
) -> None:
    """ASVspoof 2021 has thousands of them, which libsndfile refuses."""
    path = tmp_path / "clip.flac"
    samples = noise(n_frames, channels, bits)
    soundfile.write(path, samples, rate, subtype="PCM_S8" if bits == 8 else f"PCM_{bits}")
    original, _ = read_frames(path)
    np.testing.assert_array_equal(original, samples.astype(np.float32))
    forget_length(path)
    assert soundfile.info(path).frames == 2**63 - 1, "libsndfile knows no length"
    found, found_rate = read_frames(path)
    assert found.dtype == np.float32
    assert found_rate == rate
    np.testing.assert_array_equal(found, original)
    assert read_format(path) == Format(n_frames, rate, channels, "FLAC (by FFmpeg)")


def test_the_suffix_may_be_in_capitals(flac: Path, tmp_path: Path) -> None:
    forget_length(flac).rename(tmp_path / "CLIP.FLAC")
    assert read_frames(tmp_path / "CLIP.FLAC")[0].shape == (64_000, 1)


def test_waveforms_and_headers_come_through_the_second_decoder_too(flac: Path) -> None:
    before, header = load_waveform(flac), read_header(flac)
    forget_length(flac)
    np.testing.assert_array_equal(load_waveform(flac), before)
    after = read_header(flac)
    assert (
        (after.duration, after.rate, after.channels)
        == (header.duration, header.rate, header.channels)
        == (4, 16_000, 1)
    )


@settings(max_examples=25, deadline=None)
@given(start=st.integers(0, 33_000), stop=st.none() | st.integers(0, 33_000))
def test_both_decoders_read_the_same_stretch(
    start: int, stop: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("stretch") / "clip.flac"
    samples = noise(30_000, 2, 16)
    soundfile.write(path, samples, 16_000)
    expected = samples[start:stop].astype(np.float32)
    np.testing.assert_array_equal(read_frames(path, start, stop)[0], expected)
    np.testing.assert_array_equal(read_frames(forget_length(path), start, stop)[0], expected)


Damage = Callable[[bytearray], bytes]
DAMAGED: dict[str, Damage] = {
    "cut in its header": lambda content: content[:30],
    "cut behind its header": lambda content: content[:100],
    "cut in the middle": lambda content: content[: len(content) // 2],
    "cut near the end": lambda content: content[:-20],
    "garbage after four right bytes": lambda content: content[:4] + bytes(range(256)) * 40,
    "garbage": lambda _: b"not a sound at all " * 100,
    "zeros": lambda _: bytes(5000),
    "nothing": lambda _: b"",
    "a page of HTML": lambda _: b"<html>404</html>",
    "zeros in the middle": lambda content: content[:60_000] + bytes(2000) + content[62_000:],
    "a block is missing": lambda content: content[:60_000] + content[80_000:],
}


@pytest.mark.parametrize("read", [read_frames, load_waveform])
@pytest.mark.parametrize("length", ["known length", "unknown length"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_corrupt_files_are_refused_with_a_short_reason(
    damage: str, length: str, read: Callable[[Path], object], flac: Path
) -> None:
    if length == "unknown length":
        forget_length(flac)
    read(flac)  # until the damage it can be read
    flac.write_bytes(DAMAGED[damage](bytearray(flac.read_bytes())))
    with pytest.raises(
        UnusableAudio, match=r"^(unreadable \(.+\)|truncated or corrupt \(.+\)|empty \(no samples\))$"
    ) as caught:
        read(flac)
    assert len(str(caught.value)) < 100
    assert flac.name not in str(caught.value), "a reason is the reason alone"


@pytest.mark.parametrize("damage", ["garbage", "nothing", "a page of HTML", "cut in its header", "zeros"])
def test_when_both_decoders_fail_the_reason_is_the_first_ones(damage: str, flac: Path) -> None:
    flac.write_bytes(DAMAGED[damage](bytearray(flac.read_bytes())))
    with pytest.raises(soundfile.LibsndfileError) as refused:
        soundfile.info(flac)
    reason = str(refused.value).rsplit(": ", 1)[-1].rstrip(".")
    for read in (read_format, read_frames):
        with pytest.raises(UnusableAudio) as caught:
            read(flac)
        assert str(caught.value) == f"unreadable ({reason})"


@settings(max_examples=30, deadline=None)
@given(place=st.integers(200, 110_000), bit=st.integers(0, 7))
def test_a_single_wrong_bit_is_noticed(place: int, bit: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every frame carries a checksum."""
    path = tmp_path_factory.mktemp("wrong-bit") / "clip.flac"
    soundfile.write(path, noise(64_000, 1, 16), 16_000)
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(UnusableAudio, match=r"unreadable|corrupt"):
        read_frames(path)


@settings(max_examples=30, deadline=None)
@given(place=st.integers(200, 110_000), bit=st.integers(0, 7))
def test_frames_lost_on_the_way_are_noticed_without_a_length(
    place: int, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """FFmpeg silently drops a corrupt frame; the next one states its time."""
    path = tmp_path_factory.mktemp("lost") / "clip.flac"
    soundfile.write(path, noise(64_000, 1, 16), 16_000)
    content = bytearray(forget_length(path).read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    for read in (read_frames, read_format):
        with pytest.raises(UnusableAudio, match=r"unreadable|corrupt"):
            read(path)


def test_a_file_that_ends_between_two_frames_lacks_what_its_header_promises(flac: Path) -> None:
    whole = flac.read_bytes()
    sync = [place for place in range(86, len(whole) - 4) if whole[place : place + 2] == b"\xff\xf8"]
    cuts = 0
    for place in sync:
        flac.write_bytes(whole[:place])
        with pytest.raises(UnusableAudio, match=r"unreadable|corrupt"):
            read_frames(flac)
        cuts += 1
    assert cuts >= 15


@pytest.mark.parametrize("suffix", ["wav", "mp3", "ogg", "m4a"])
def test_a_flac_is_a_flac_whatever_its_suffix(suffix: str, flac: Path) -> None:
    expected, _ = read_frames(flac)
    path = forget_length(flac).rename(flac.with_suffix(f".{suffix}"))
    assert read_format(path) == Format(64_000, 16_000, 1, "FLAC (by FFmpeg)")
    np.testing.assert_array_equal(read_frames(path)[0], expected)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
def test_what_libsndfile_reads_never_comes_to_ffmpeg(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("av.open", None)
    soundfile.write(tmp_path / f"clip.{suffix}", noise(16_000, 1, 16), 16_000)
    assert read_frames(tmp_path / f"clip.{suffix}")[0].shape == (16_000, 1)
    assert read_format(tmp_path / f"clip.{suffix}").n_frames == 16_000


def test_a_flac_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.flac", np.zeros((0, 1)), 16_000)
    for read in (read_format, read_frames):
        with pytest.raises(UnusableAudio, match=r"empty|unreadable"):
            read(tmp_path / "clip.flac")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".m4a"])
def test_a_name_that_is_no_utf_8_is_a_name_as_any_other(suffix: str, tmp_path: Path) -> None:
    plain = tmp_path / f"cafe{suffix}"
    if suffix == ".m4a":
        encode(plain, buzz(1), "aac", container="ipod")
    elif suffix == ".mp3":
        mp3(plain, buzz(1), xing=True)
    else:
        pcm(plain, buzz(1), container=suffix[1:].upper())
    expected = read_frames(plain)[0]
    other = plain.rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9" + suffix.encode()))
    np.testing.assert_array_equal(read_frames(other)[0], expected)


def test_what_lies_before_damage_is_handed_over(tmp_path: Path) -> None:
    """A stream tells what it heard up to there, and where that is."""
    path, sound = tmp_path / "clip.flac", noise(150_000, 1, 16)
    soundfile.write(path, sound, 16_000)
    content = bytearray(path.read_bytes())
    damage = int(0.7 * len(content))
    path.write_bytes(content[:damage] + bytes(40) + content[damage + 40 :])
    with pytest.raises(UnusableAudio, match="samples are missing after") as refused:
        read_frames(path)
    blocks = open_recording(path).blocks()
    heard: list[np.ndarray] = []
    with pytest.raises(UnusableAudio, match="unreadable"):
        heard.extend(blocks)
    samples = np.concatenate(heard)
    np.testing.assert_array_equal(samples, sound[: len(samples)].astype(np.float32))
    assert f"after {len(samples) / 16_000:.2f} s" in str(refused.value)
