"""Lengths are counted, whatever headers say: what is announced is what is decoded, to the true end of the file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.decoders import read_format, read_frames
from src.audio.io import UnusableAudio, count_samples, load_stretch, load_waveform, read_header
from tests.audio.made_files import RATE, buzz, encode, joined, mp3, pcm, with_bytes

Maker = Callable[[Path], Path]


def assert_lengths_agree(path: Path) -> np.ndarray:
    """Check that everything that tells or uses a length tells the same; return the frames, shape (n, channels)."""
    frames, rate = read_frames(path)
    assert read_format(path).n_frames == len(frames)
    assert read_header(path).duration == len(frames) / rate
    assert count_samples(path, rate) == len(frames) == len(load_waveform(path, rate))
    assert abs(len(load_waveform(path)) - count_samples(path)) <= 1
    for start in (0, 1, 1_000, len(frames) // 2, len(frames) - 1_000, len(frames) - 1):
        np.testing.assert_allclose(read_frames(path, start, start + 900)[0], frames[start : start + 900], atol=1e-5)
    np.testing.assert_allclose(load_stretch(path, 500, 2_500, rate), load_waveform(path, rate)[500:2_500], atol=1e-5)
    return frames


def assert_sounds_like(frames: np.ndarray, sound: np.ndarray, *, late: int = 0, atol: float = 0.1) -> None:
    """Compare decoded frames with the original, which an encoder may have made `late` samples late."""
    middle = slice(2_000, len(sound) - 2_000)
    np.testing.assert_allclose(frames[late:, 0][middle], sound[middle], atol=atol)


# MP3: fault 01, docs/faults.md


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
def test_tags_behind_the_frames_are_no_damage(tag: str, xing: bool, tmp_path: Path) -> None:
    path = mp3(tmp_path / "clip.mp3", buzz(2), xing=xing)
    before = read_frames(path)[0]
    path.write_bytes(path.read_bytes() + TAGS[tag])
    np.testing.assert_allclose(assert_lengths_agree(path), before, atol=1e-5)


def test_an_mp3_cut_out_of_a_stream_may_begin_within_a_frame(tmp_path: Path) -> None:
    path = mp3(tmp_path / "clip.mp3", buzz(2), xing=False, variable=False)
    n_frames = read_format(path).n_frames
    path.write_bytes(path.read_bytes()[100:])
    assert len(assert_lengths_agree(path)) == n_frames - 576


# Ogg: fault 01


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_joined_ogg_files_are_their_parts_one_after_another(subtype: str, tmp_path: Path) -> None:
    parts = [pcm(tmp_path / f"{k}.ogg", buzz(1.7, seed=k), "OGG", subtype=subtype) for k in range(3)]
    frames = assert_lengths_agree(joined(tmp_path / "joined.ogg", parts))
    np.testing.assert_array_equal(frames, np.concatenate([read_frames(part)[0] for part in parts]))
    assert len(frames) == round(3 * 1.7 * RATE)


# Chunks: fault 14

CONTAINERS = {
    "wav": "WAV",
    "wavex.wav": "WAVEX",
    "rf64": "RF64",
    "w64": "W64",
    "aiff": "AIFF",
    "caf": "CAF",
    "au": "AU",
}


def sizes(kind: str, unknown: str, path: Path) -> dict[int, bytes]:
    """Return the places of the sizes in a file that libsndfile wrote, and what a writer leaves there."""
    content = path.read_bytes()
    width = 8 if kind in ("rf64", "w64", "caf") else 4
    value = {"zero": 0, "all ones": 2 ** (8 * width) - 1, "largest": 2 ** (8 * width - 1) - 1}[unknown]
    size = value.to_bytes(width, "little" if kind in ("wav", "wavex.wav", "rf64", "w64") else "big")
    places = {
        "wav": (4, content.find(b"data") + 4),
        "wavex.wav": (4, content.find(b"data") + 4),
        "rf64": (20, 28, 36),
        "w64": (16, content.find(b"data") + 16),
        "aiff": (4, content.find(b"SSND") + 4),
        "caf": (content.find(b"data") + 4,),
        "au": (8,),
    }
    return dict.fromkeys(places[kind], size)


@pytest.mark.parametrize("unknown", ["zero", "all ones", "largest"])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_sound_of_unknown_size_is_read_to_the_end_of_the_file(kind: str, unknown: str, tmp_path: Path) -> None:
    path = pcm(tmp_path / f"clip.{kind}", buzz(1), CONTAINERS[kind])
    expected = assert_lengths_agree(path)
    with_bytes(path, sizes(kind, unknown, path))
    np.testing.assert_array_equal(assert_lengths_agree(path), expected)
    assert len(expected) == RATE


@pytest.mark.parametrize("unknown", ["zero", "all ones", "largest"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "ULAW"])
def test_a_wav_of_unknown_size_may_have_any_coding(subtype: str, unknown: str, tmp_path: Path) -> None:
    path = pcm(tmp_path / "clip.wav", buzz(1), "WAV", subtype=subtype)
    expected = assert_lengths_agree(path)
    place = path.read_bytes().find(b"data") + 4
    size = {"zero": bytes(4), "all ones": b"\xff" * 4, "largest": b"\xff\xff\xff\x7f"}[unknown]
    np.testing.assert_array_equal(assert_lengths_agree(with_bytes(path, {4: size, place: size}))[:RATE], expected)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_joined_containers_are_their_parts_one_after_another(kind: str, tmp_path: Path) -> None:
    parts = [pcm(tmp_path / f"{k}.{kind}", buzz(1.001, seed=k), CONTAINERS[kind]) for k in range(3)]
    frames = assert_lengths_agree(joined(tmp_path / f"joined.{kind}", parts))
    np.testing.assert_array_equal(frames, np.concatenate([read_frames(part)[0] for part in parts]))


def test_joined_wav_files_of_unknown_size_are_their_parts_one_after_another(tmp_path: Path) -> None:
    parts = [pcm(tmp_path / f"{k}.wav", buzz(1, seed=k), "WAV") for k in range(3)]
    expected = np.concatenate([read_frames(part)[0] for part in parts])
    for part in parts:
        with_bytes(part, sizes("wav", "all ones", part))
    np.testing.assert_array_equal(assert_lengths_agree(joined(tmp_path / "joined.wav", parts)), expected)


@pytest.mark.parametrize("kind", ["wav", "ogg", "mp3"])
def test_joined_files_of_unlike_rates_are_refused(kind: str, tmp_path: Path) -> None:
    if kind == "mp3":
        parts = [mp3(tmp_path / f"{rate}.mp3", buzz(1, rate=rate), xing=True, rate=rate) for rate in (16_000, 24_000)]
    else:
        parts = [tmp_path / f"{rate}.{kind}" for rate in (16_000, 24_000)]
        for part in parts:
            soundfile.write(part, buzz(1), int(part.stem))
    path = joined(tmp_path / f"joined.{kind}", parts)
    for read in (read_header, load_waveform):
        with pytest.raises(UnusableAudio, match="joined"):
            read(path)


def test_a_joined_flac_is_refused(tmp_path: Path) -> None:
    part = pcm(tmp_path / "part.flac", buzz(1), "FLAC")
    path = joined(tmp_path / "joined.flac", [part, part])
    with pytest.raises(UnusableAudio, match="joined"):
        load_waveform(path)


@pytest.mark.parametrize("behind", [b"", b"LIST\x04\0\0\0INFO", b"LIST\x04\0\0\0INFObext\x02\0\0\0ab"])
def test_a_wav_that_is_really_empty_is_called_so(behind: bytes, tmp_path: Path) -> None:
    path = pcm(tmp_path / "clip.wav", np.zeros(0), "WAV")
    path.write_bytes(path.read_bytes() + behind)
    for read in (read_header, load_waveform):
        with pytest.raises(UnusableAudio, match=r"^empty \(no samples\)$"):
            read(path)


def test_chunks_behind_the_sound_are_no_sound(tmp_path: Path) -> None:
    path = pcm(tmp_path / "clip.wav", buzz(1), "WAV")
    expected = read_frames(path)[0]
    path.write_bytes(path.read_bytes() + b"LIST\x04\0\0\0INFO")
    np.testing.assert_array_equal(assert_lengths_agree(path), expected)


def test_a_writer_that_counts_its_header_as_sound_is_forgiven(tmp_path: Path) -> None:
    path = pcm(tmp_path / "clip.wav", buzz(1), "WAV")
    with_bytes(path, {40: (2 * RATE + 44).to_bytes(4, "little")})
    assert len(assert_lengths_agree(path)) == RATE


# Recordings that cannot be sought: fault 12

UNSEEKABLE = {
    "GSM 6.10": ("clip.wav", "WAV", "GSM610"),
    "G.721": ("clip.au", "AU", "G721_32"),
    "G.723": ("clip.au", "AU", "G723_24"),
}


@pytest.mark.parametrize("kind", UNSEEKABLE)
def test_recordings_that_cannot_be_sought_are_decoded_from_their_beginning(kind: str, tmp_path: Path) -> None:
    name, container, subtype = UNSEEKABLE[kind]
    path = pcm(tmp_path / name, buzz(40, rate=8_000), container, rate=8_000, subtype=subtype)
    frames = assert_lengths_agree(path)
    assert len(frames) == pytest.approx(40 * 8_000, abs=400)
    whole = load_waveform(path)
    np.testing.assert_allclose(load_stretch(path, 480_000, 560_000), whole[480_000:560_000], atol=1e-5)
