"""A recording that breaks off, or of which something is missing, is refused by all who read it (fault 06)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from src.audio.io import UnusableAudio, count_samples, load_stretch, load_waveform, read_header
from tests.audio.made_files import RATE, buzz, encode, mp3, pcm, with_bytes

Maker = Callable[[Path, np.ndarray], Path]


def made(path: Path, sound: np.ndarray, *, codec: str, container: str, **settings: object) -> Path:
    return encode(path, sound, codec, container=container, **settings)


MAKERS: dict[str, Maker] = {
    "clip.wav": partial(pcm, container="WAV"),
    "wavex.wav": partial(pcm, container="WAVEX"),
    "float.wav": partial(pcm, container="WAV", subtype="FLOAT"),
    "gsm.wav": partial(pcm, container="WAV", subtype="GSM610", rate=8_000),
    "adpcm.wav": partial(pcm, container="WAV", subtype="IMA_ADPCM"),
    "clip.rf64": partial(pcm, container="RF64"),
    "clip.w64": partial(pcm, container="W64"),
    "clip.aiff": partial(pcm, container="AIFF"),
    "clip.au": partial(pcm, container="AU"),
    "clip.caf": partial(pcm, container="CAF"),
    "alac.caf": partial(pcm, container="CAF", subtype="ALAC_16"),
    "clip.ogg": partial(pcm, container="OGG", subtype="VORBIS"),
    "clip.opus": partial(pcm, container="OGG", subtype="OPUS"),
    "xing.mp3": partial(mp3, xing=True),
    "plain.mp3": partial(mp3, xing=False),
    "constant.mp3": partial(mp3, xing=False, variable=False),
    "clip.m4a": partial(made, codec="aac", container="ipod"),
    "begun.m4a": partial(made, codec="aac", container="ipod", options={"movflags": "faststart"}),
    "alac.m4a": partial(made, codec="alac", container="ipod"),
    "clip.aac": partial(made, codec="aac", container="adts"),
    "clip.amr": partial(made, codec="libopencore_amrnb", container="amr", rate=8_000),
    "clip.mp4": partial(made, codec="aac", container="mp4", video="mpeg4"),
    "clip.mkv": partial(made, codec="aac", container="matroska", video="mpeg4"),
    "clip.webm": partial(made, codec="libopus", container="webm", rate=48_000),
    "clip.wma": partial(made, codec="wmav2", container="asf", rate=44_100, bit_rate=64_000),
}
READERS = {
    "read_header": read_header,
    "count_samples": count_samples,
    "load_waveform": load_waveform,
    "load_stretch": lambda path: load_stretch(path, 0, 10**9),
}
REASON = r"^(truncated or corrupt \(.+\)|unreadable \(.+\))$"


def assert_refused(path: Path) -> None:
    for name, read in READERS.items():
        with pytest.raises(UnusableAudio, match=REASON) as refused:
            read(path)
        assert path.name not in str(refused.value), f"{name}: a reason is the reason alone"
        assert len(str(refused.value)) < 100


@pytest.mark.parametrize("share", [0.3, 0.51, 0.9])
@pytest.mark.parametrize("name", MAKERS)
def test_a_part_of_a_recording_is_refused(name: str, share: float, tmp_path: Path) -> None:
    path = MAKERS[name](tmp_path / name, buzz(3))
    for read in READERS.values():
        read(path)  # the whole of it can be read
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert_refused(path)


@pytest.mark.parametrize("name", ["clip.wav", "clip.aiff", "clip.au", "clip.w64", "clip.rf64"])
@pytest.mark.parametrize("n_missing", [100, 1_000])
def test_a_few_milliseconds_that_are_missing_are_noticed(name: str, n_missing: int, tmp_path: Path) -> None:
    path = MAKERS[name](tmp_path / name, buzz(1))
    path.write_bytes(path.read_bytes()[:-n_missing])
    assert_refused(path)


@pytest.mark.parametrize("at_the_end_of_a_frame", [True, False])
def test_an_mp3_lacks_frames_that_its_xing_frame_promises(at_the_end_of_a_frame: bool, tmp_path: Path) -> None:
    from src.audio.mpeg import scan

    path = mp3(tmp_path / "clip.mp3", buzz(3), xing=True)
    found = scan(path)
    assert found
    place = found.chunks[0].frames[-5] + (0 if at_the_end_of_a_frame else 20)
    path.write_bytes(path.read_bytes()[:place])
    assert_refused(path)


@pytest.mark.parametrize("filling", [b"\xff", b"\0", b"\x55"])
@pytest.mark.parametrize(
    "name", ["xing.mp3", "plain.mp3", "constant.mp3", "clip.ogg", "clip.opus", "clip.aac", "clip.amr"]
)
def test_a_hole_in_a_recording_is_noticed(name: str, filling: bytes, tmp_path: Path) -> None:
    path = MAKERS[name](tmp_path / name, buzz(10))
    with_bytes(path, {path.stat().st_size // 2: filling * 1500})
    assert_refused(path)


@pytest.mark.parametrize("filling", [b"\xff", b"\0", b"\x55"])
@pytest.mark.parametrize("name", ["clip.m4a", "alac.m4a", "clip.mp4", "clip.mkv", "clip.webm", "clip.wma"])
def test_a_gap_in_a_video_is_found_when_it_is_decoded(name: str, filling: bytes, tmp_path: Path) -> None:
    path = MAKERS[name](tmp_path / name, buzz(10))
    with_bytes(path, {path.stat().st_size // 2: filling * 1500})
    with pytest.raises(UnusableAudio, match=REASON):
        load_waveform(path)


@pytest.mark.parametrize("name", ["xing.mp3", "plain.mp3", "clip.ogg", "clip.opus", "clip.aac"])
def test_bytes_that_were_left_out_are_noticed(name: str, tmp_path: Path) -> None:
    path = MAKERS[name](tmp_path / name, buzz(10))
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + content[middle + 1_000 :])
    assert_refused(path)


def test_half_of_a_download_into_a_file_of_full_length_is_noticed(tmp_path: Path) -> None:
    path = mp3(tmp_path / "clip.mp3", buzz(20), xing=False)
    half = path.stat().st_size // 2
    path.write_bytes(path.read_bytes()[:half] + bytes(half))
    assert_refused(path)


@pytest.mark.parametrize("bit", range(8))
def test_a_single_wrong_bit_in_an_ogg_is_noticed(bit: int, tmp_path: Path) -> None:
    path = pcm(tmp_path / "clip.ogg", buzz(3), "OGG", subtype="VORBIS")
    place = path.stat().st_size - 500 - bit
    with_bytes(path, {place: bytes([path.read_bytes()[place] ^ 1 << bit])})
    assert_refused(path)


def test_an_ogg_without_one_of_its_pages_is_refused(tmp_path: Path) -> None:
    content = pcm(tmp_path / "clip.ogg", buzz(20), "OGG", subtype="VORBIS").read_bytes()
    pages = [place for place in range(len(content)) if content[place : place + 4] == b"OggS"]
    (tmp_path / "clip.ogg").write_bytes(content[: pages[5]] + content[pages[6] :])
    assert_refused(tmp_path / "clip.ogg")


def test_a_stretch_before_the_place_where_an_mp3_breaks_off_is_refused_as_well(tmp_path: Path) -> None:
    path = mp3(tmp_path / "clip.mp3", buzz(10), xing=False)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UnusableAudio, match=REASON):
        load_stretch(path, 0, RATE)
