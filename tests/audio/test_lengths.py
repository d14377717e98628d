"""Lengths are counted, whatever headers say: what is announced is what is decoded, to the true end of the file."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.decoders import read_frames
from src.audio.io import UnusableAudio, load_stretch, load_waveform, read_header
from tests.audio.made_files import RATE, assert_lengths_agree, buzz, joined, mp3, pcm, with_bytes

# Ogg: fault 01


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_joined_ogg_files_are_their_parts_one_after_another(subtype: str, tmp_path: Path) -> None:
    parts = [pcm(tmp_path / f"{k}.ogg", buzz(1.7, seed=k), "OGG", subtype=subtype) for k in range(3)]
    frames = assert_lengths_agree(joined(tmp_path / "joined.ogg", parts))
    np.testing.assert_array_equal(frames, np.concatenate([read_frames(part)[0] for part in parts]))
    assert len(frames) == round(3 * 1.7 * RATE)


@pytest.mark.parametrize("seconds", [0.3, 3.1])
def test_a_stretch_of_the_last_page_of_an_ogg_is_that_part_of_the_whole(seconds: float, tmp_path: Path) -> None:
    """There libsndfile seeks wrongly, because the page is cut to the length of the recording."""
    path = pcm(tmp_path / "clip.ogg", buzz(seconds), "OGG", subtype="VORBIS")
    parts = [path, pcm(tmp_path / "other.ogg", buzz(1.7, seed=7), "OGG", subtype="VORBIS")]
    for file in (path, joined(tmp_path / "joined.ogg", parts)):
        frames, _ = read_frames(file)
        for start in range(0, len(frames), 901):
            np.testing.assert_allclose(read_frames(file, start, start + 900)[0], frames[start : start + 900], atol=1e-4)


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


@pytest.mark.parametrize("unknown", ["zero", "all ones"])
def test_joined_wav_files_of_unknown_size_are_their_parts_one_after_another(unknown: str, tmp_path: Path) -> None:
    parts = [pcm(tmp_path / f"{k}.wav", buzz(1, seed=k), "WAV") for k in range(3)]
    expected = np.concatenate([read_frames(part)[0] for part in parts])
    for part in parts:
        with_bytes(part, sizes("wav", unknown, part))
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


@pytest.mark.parametrize("chunks", [b"", b"LIST\x04\0\0\0INFO", b"LIST\x04\0\0\0INFObext\x02\0\0\0ab"])
def test_an_empty_wav_is_called_empty(chunks: bytes, tmp_path: Path) -> None:
    path = pcm(tmp_path / "clip.wav", np.zeros(0), "WAV")
    path.write_bytes(path.read_bytes() + chunks)
    for read in (read_header, load_waveform):
        with pytest.raises(UnusableAudio, match=r"^empty \(no samples\)$"):
            read(path)


def test_chunks_after_the_sound_are_no_sound(tmp_path: Path) -> None:
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
