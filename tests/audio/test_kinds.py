"""Recordings of all common kinds, and the sound of videos, are decoded correctly."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.audio.io import AUDIO_SUFFIXES, UnusableAudio, load_stretch, load_waveform, read_header
from tests.audio.made_files import RATE, assert_lengths_agree, buzz, encode, joined, pcm

PITCH = 440.0
VIDEO = {"video": "mpeg4"}
BY_FFMPEG: dict[str, tuple[str, str, int, dict[str, Any]]] = {
    "clip.m4a": ("aac", "ipod", 44_100, {}),
    "lossless.m4a": ("alac", "ipod", 44_100, {}),
    "clip.aac": ("aac", "adts", 44_100, {}),
    "clip.amr": ("libopencore_amrnb", "amr", 8_000, {}),
    "clip.3gp": ("libopencore_amrnb", "3gp", 8_000, {}),
    "clip.wma": ("wmav2", "asf", 44_100, {"bit_rate": 64_000}),
    "clip.mp4": ("aac", "mp4", 48_000, VIDEO),
    "pieces.mp4": ("aac", "mp4", 48_000, {**VIDEO, "options": {"movflags": "frag_keyframe+empty_moov"}}),
    "clip.mov": ("pcm_s16le", "mov", 48_000, VIDEO),
    "clip.mkv": ("aac", "matroska", 48_000, VIDEO),
    "live.mkv": ("aac", "matroska", 48_000, {**VIDEO, "options": {"live": "1"}}),
    "clip.webm": ("libopus", "webm", 48_000, {"video": "libvpx"}),
    "sound.webm": ("libopus", "webm", 48_000, {}),
    "clip.opus": ("libopus", "ogg", 48_000, {}),
    "clip.w64": ("pcm_s16le", "w64", 16_000, {}),
    "clip.aif": ("pcm_s16be", "aiff", 16_000, {}),
    "clip.snd": ("pcm_s16be", "au", 16_000, {}),
    "clip.caf": ("pcm_s16be", "caf", 44_100, {}),
}
BY_LIBSNDFILE = {"clip.caf": "CAF", "clip.aiff": "AIFF", "clip.au": "AU", "clip.w64": "W64", "clip.rf64": "RF64"}


def tone(rate: int, seconds: float = 2.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * PITCH * np.arange(int(rate * seconds)) / rate)


def pitch(waveform: np.ndarray) -> float:
    middle = waveform[RATE // 2 : 3 * RATE // 2]  # one second: the bins are 1 Hz apart
    return float(np.abs(np.fft.rfft(middle)).argmax())


@pytest.mark.parametrize("suffix", [".m4a", ".aac", ".mp4", ".mov", ".mkv", ".webm", ".aiff", ".aif", ".caf", ".au"])
def test_the_kinds_that_people_have_are_recordings(suffix: str) -> None:
    assert suffix in AUDIO_SUFFIXES


def test_suffixes_are_given_once_and_in_small_letters() -> None:
    assert len(set(AUDIO_SUFFIXES)) == len(AUDIO_SUFFIXES)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in AUDIO_SUFFIXES)


@pytest.mark.parametrize("name", BY_FFMPEG)
def test_what_ffmpeg_writes_comes_in_as_the_sound_that_it_holds(name: str, tmp_path: Path) -> None:
    codec, container, rate, settings = BY_FFMPEG[name]
    path = encode(tmp_path / name, tone(rate), codec, container=container, rate=rate, **settings)
    assert Path(name).suffix in AUDIO_SUFFIXES
    header, waveform = read_header(path), load_waveform(path)
    assert header.channels == 1
    assert header.rate == rate
    assert header.duration == pytest.approx(2, abs=0.12), "an encoder fills up its last frame"
    assert pitch(waveform) == PITCH
    assert np.std(waveform[RATE // 2 : 3 * RATE // 2]) == pytest.approx(0.5 / np.sqrt(2), rel=0.2)
    assert_lengths_agree(path)


@pytest.mark.parametrize("name", BY_LIBSNDFILE)
def test_what_libsndfile_writes_comes_in_as_the_sound_that_it_holds(name: str, tmp_path: Path) -> None:
    path = pcm(tmp_path / name, tone(44_100), BY_LIBSNDFILE[name], rate=44_100)
    assert pitch(load_waveform(path)) == PITCH
    assert read_header(path).duration == 2
    assert read_header(path).encoding == f"{BY_LIBSNDFILE[name]} PCM_16"
    assert_lengths_agree(path)


@pytest.mark.parametrize("name", ["clip.m4a", "clip.webm", "clip.mkv", "clip.wma"])
def test_two_channels_of_a_video_are_two(name: str, tmp_path: Path) -> None:
    codec, container, rate, settings = BY_FFMPEG[name]
    sound = np.stack([tone(rate), 0.5 * tone(rate)], axis=1)
    path = encode(tmp_path / name, sound, codec, container=container, rate=rate, **settings)
    assert read_header(path).channels == 2
    assert pitch(load_waveform(path)) == PITCH
    np.testing.assert_allclose(load_stretch(path, 9_000, 12_000), load_waveform(path)[9_000:12_000], atol=1e-4)


def test_a_wrong_suffix_is_no_hindrance(tmp_path: Path) -> None:
    encode(tmp_path / "clip.m4a", tone(RATE), "aac", container="ipod").rename(tmp_path / "clip.wav")
    pcm(tmp_path / "clip.flac", tone(RATE), "WAV").rename(tmp_path / "clip.mp3")
    for name in ("clip.wav", "clip.mp3"):
        assert pitch(load_waveform(tmp_path / name)) == PITCH


def test_lossless_kinds_hold_the_very_samples(tmp_path: Path) -> None:
    expected = load_waveform(pcm(tmp_path / "clip.wav", buzz(1), "WAV"))
    for name, codec, container in (
        ("a.mov", "pcm_s16le", "mov"),
        ("b.m4a", "alac", "ipod"),
        ("c.mkv", "flac", "matroska"),
    ):
        path = encode(tmp_path / name, expected, codec, container=container)
        np.testing.assert_allclose(load_waveform(path), expected, atol=2**-15)


def test_a_video_without_sound_is_refused_with_that_reason(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "mute.mp4"), "w", format="mp4") as out:
        picture: Any = out.add_stream("mpeg4", rate=25)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        for number in range(10):
            grey = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), format="rgb24")
            out.mux(picture.encode(grey))
        out.mux(picture.encode(None))
    for read in (read_header, load_waveform):
        with pytest.raises(UnusableAudio, match="no sound"):
            read(tmp_path / "mute.mp4")


@pytest.mark.parametrize("name", ["clip.m4a", "clip.amr", "clip.mkv", "live.mkv", "clip.webm"])
def test_videos_and_recordings_that_were_joined_are_refused(name: str, tmp_path: Path) -> None:
    codec, container, rate, settings = BY_FFMPEG[name]
    part = encode(tmp_path / f"part_{name}", tone(rate), codec, container=container, rate=rate, **settings)
    path = joined(tmp_path / name, [part, part])
    for read in (read_header, load_waveform):
        with pytest.raises(UnusableAudio, match="joined"):
            read(path)


def test_joined_aac_is_read_to_its_end(tmp_path: Path) -> None:
    part = encode(tmp_path / "part.aac", tone(RATE), "aac", container="adts")
    path = joined(tmp_path / "clip.aac", [part, part])
    assert read_header(path).duration == 2 * read_header(part).duration
    assert_lengths_agree(path)


@pytest.mark.parametrize(("rate", "n_channels"), [(24_000, 1), (16_000, 2)])
def test_a_recording_that_changes_on_the_way_is_refused(rate: int, n_channels: int, tmp_path: Path) -> None:
    other = np.stack([tone(rate)] * n_channels, axis=1)
    parts = [
        encode(tmp_path / "part0.aac", tone(RATE), "aac", container="adts"),
        encode(tmp_path / "part1.aac", other, "aac", container="adts", rate=rate),
    ]
    path = joined(tmp_path / "clip.aac", parts)
    for read in (read_header, load_waveform):
        with pytest.raises(UnusableAudio, match=r"change|truncated or corrupt"):
            read(path)


@pytest.mark.parametrize("suffix", [suffix for suffix in AUDIO_SUFFIXES if suffix != ".rf64"])
def test_what_is_no_recording_is_refused_whatever_its_suffix(suffix: str, tmp_path: Path) -> None:
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{tmp_path}/other.wav\n#EXT-X-ENDLIST\n"
    pcm(tmp_path / "other.wav", tone(RATE), "WAV")
    for content in (b"", b"<html>404</html>", bytes(range(256)) * 40, playlist.encode(), bytes(3000)):
        (tmp_path / f"clip{suffix}").write_bytes(content)
        for read in (read_header, load_waveform):
            with pytest.raises(UnusableAudio, match=r"^unreadable \(.+\)$"):
                read(tmp_path / f"clip{suffix}")


def test_the_guide_lists_the_kinds_that_are_read() -> None:
    guide = (Path(__file__).parents[2] / "DatasetPreparation.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"- Kinds of recordings, by suffix: ((?:.|\n)+?)\n- ", guide)
    assert set(re.findall(r"`(\.\w+)`", listed)) == set(AUDIO_SUFFIXES)
