"""MP3 files are read to their true end, whatever their headers say (fault 01, docs/faults.md)."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.decoders import read_format, read_frames
from src.audio.io import UnusableAudio, load_waveform
from tests.audio.made_files import RATE, assert_lengths_agree, buzz, encode, joined, mp3


def assert_sounds_like(frames: np.ndarray, sound: np.ndarray, *, late: int = 0, atol: float = 0.1) -> None:
    """Compare decoded frames with the original, which an encoder may have made `late` samples late."""
    middle = slice(2_000, len(sound) - 2_000)
    np.testing.assert_allclose(frames[late:, 0][middle], sound[middle], atol=atol)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("variable", [True, False])
@pytest.mark.parametrize("silence", [0.0, 0.5])
def test_an_mp3_without_xing_frame_is_read_to_its_end(
    rate: int, variable: bool, silence: float, tmp_path: Path
) -> None:
    sound = np.concatenate([np.zeros(int(silence * rate)), buzz(4, rate=rate)])
    path = mp3(tmp_path / "clip.mp3", sound, xing=False, variable=variable, rate=rate)
    frames = assert_lengths_agree(path)
    assert 0 <= len(frames) - len(sound) < 3 * 1152, "the encoder's own delay and filling stay: nothing tells of them"
    assert_sounds_like(frames, sound, late=1105)


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("variable", [True, False])
@pytest.mark.parametrize("tag", [True, False])
def test_an_mp3_whose_header_is_right_is_what_libsndfile_reads(
    rate: int, variable: bool, tag: bool, tmp_path: Path
) -> None:
    sound = buzz(3, rate=rate)
    path = mp3(tmp_path / "clip.mp3", sound, xing=True, variable=variable, rate=rate, tag=tag)
    frames = assert_lengths_agree(path)
    with soundfile.SoundFile(path) as file:
        np.testing.assert_array_equal(frames, file.read(dtype="float32", always_2d=True))
    assert len(frames) == len(sound)
    assert_sounds_like(frames, sound)


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("variable", [True, False])
@pytest.mark.parametrize("tag", [True, False])
def test_joined_mp3_files_are_their_parts_one_after_another(
    rate: int, variable: bool, tag: bool, tmp_path: Path
) -> None:
    sounds = [buzz(1.7, rate=rate, seed=seed) for seed in range(3)]
    parts = [
        mp3(tmp_path / f"{k}.mp3", sound, xing=True, variable=variable, rate=rate, tag=tag)
        for k, sound in enumerate(sounds)
    ]
    frames = assert_lengths_agree(joined(tmp_path / "joined.mp3", parts))
    assert len(frames) == sum(map(len, sounds)), "no gap between them"
    np.testing.assert_allclose(frames, np.concatenate([read_frames(part)[0] for part in parts]), atol=1e-5)


def test_joined_mp3_files_without_xing_frames_are_read_to_their_end(tmp_path: Path) -> None:
    parts = [mp3(tmp_path / f"{k}.mp3", buzz(2, seed=k), xing=False) for k in range(3)]
    frames = assert_lengths_agree(joined(tmp_path / "joined.mp3", parts))
    assert len(frames) == sum(read_format(part).n_frames for part in parts)


def test_an_mp3_of_which_the_first_part_alone_has_a_xing_frame_is_read_to_its_end(tmp_path: Path) -> None:
    parts = [mp3(tmp_path / f"{k}.mp3", buzz(2, seed=k), xing=not k) for k in range(2)]
    frames = assert_lengths_agree(joined(tmp_path / "joined.mp3", parts))
    assert len(frames) == sum(read_format(part).n_frames for part in parts)


@pytest.mark.parametrize("xing", [True, False])
def test_stereo_mp3_and_layer_ii_are_counted_too(xing: bool, tmp_path: Path) -> None:
    sound = np.stack([buzz(2), 0.5 * buzz(2)], axis=1)
    stereo = mp3(tmp_path / "stereo.mp3", sound, xing=xing)
    assert assert_lengths_agree(stereo).shape[1] == 2
    parts = [encode(tmp_path / f"{k}.mp2", buzz(1, seed=k), "mp2", container="mp2", bit_rate=64_000) for k in range(2)]
    assert len(assert_lengths_agree(joined(tmp_path / "joined.mp3", parts))) == pytest.approx(2 * RATE, abs=2304)


TAGS = {
    "ID3v1": b"TAG" + bytes(125),
    "APE": b"APETAGEX" + b"".join(n.to_bytes(4, "little") for n in (2000, 50, 1, 0)) + bytes(8) + b"x" * 50,
    "Lyrics3": b"LYRICSBEGIN" + b"la " * 40 + b"000131LYRICS200",
    "filling": bytes(1000),
}


@pytest.mark.parametrize("xing", [True, False])
@pytest.mark.parametrize("tag", TAGS)
def test_tags_after_the_frames_are_accepted(tag: str, xing: bool, tmp_path: Path) -> None:
    path = mp3(tmp_path / "clip.mp3", buzz(2), xing=xing)
    before = read_frames(path)[0]
    path.write_bytes(path.read_bytes() + TAGS[tag])
    np.testing.assert_allclose(assert_lengths_agree(path), before, atol=1e-5)


def test_an_mp3_cut_out_of_a_stream_may_begin_within_a_frame(tmp_path: Path) -> None:
    path = mp3(tmp_path / "clip.mp3", buzz(2), xing=False, variable=False)
    n_frames = read_format(path).n_frames
    path.write_bytes(path.read_bytes()[100:])
    assert len(assert_lengths_agree(path)) == n_frames - 576


def test_a_flac_whose_bytes_look_like_frames_of_mp3_is_a_flac(tmp_path: Path) -> None:
    square = np.tile(np.repeat([0.5, -0.5], 20), 400)
    soundfile.write(tmp_path / "clip.flac", square, RATE)
    np.testing.assert_array_equal(assert_lengths_agree(tmp_path / "clip.flac")[:, 0], square)


@pytest.mark.parametrize("name", ["random.mp3", "header.wav", "text.mp3"])
def test_what_is_mp3_by_its_name_or_first_bytes_alone_is_refused_and_nothing_else_is_said(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0).bytes(20_000)
    contents = {"random.mp3": random, "header.wav": b"\xff\xfb\x90\x00" + random, "text.mp3": b"hello " * 600}
    (tmp_path / name).write_bytes(contents[name])
    with pytest.raises(UnusableAudio, match=r"^unreadable \(no frame of MPEG audio\)$"):
        load_waveform(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_frames_behind_much_else_are_left_to_libsndfile(tmp_path: Path) -> None:
    path = mp3(tmp_path / "clip.mp3", buzz(1), xing=False)
    path.write_bytes(bytes(3_000) + path.read_bytes())
    assert len(load_waveform(path)) > RATE // 2
