"""What is refused before it is decoded, and what a kept recording is called."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.deploy.serving.rules import Rules

NOW = datetime(2026, 11, 27, 1, 2, 3)
RULES = Rules(max_seconds=2.0, max_megabytes=0.1)


def write(path: Path, seconds: float, rate: int = 16_000, channels: int = 1) -> Path:
    sound = 0.1 * np.random.default_rng(7).standard_normal((int(seconds * rate), channels))
    soundfile.write(path, sound, rate)
    return path


def test_a_short_recording_passes(tmp_path: Path) -> None:
    assert RULES.refusal(write(tmp_path / "a.wav", 1.9)) == ""


def test_what_is_too_large_or_too_long_or_no_sound_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    assert "cannot be read as sound" in RULES.refusal(tmp_path / "a.txt")
    assert "cannot be read as sound" in RULES.refusal(tmp_path / "empty.wav")
    assert RULES.refusal(write(tmp_path / "a.wav", 2.1)) == (
        "It lasts 2.1 seconds; at most 2 seconds are judged. Cut it first."
    )
    assert "megabytes; at most 0.1 are taken" in RULES.refusal(write(tmp_path / "b.wav", 2, rate=48_000))


def test_a_small_file_that_decodes_to_gigabytes_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros((150_000, 8)), 600_000, subtype="PCM_16")
    rules = Rules(max_seconds=0.26, max_megabytes=0.1)
    assert (tmp_path / "a.flac").stat().st_size < rules.max_bytes
    assert "8 channels at 600000 Hz hold too many samples" in rules.refusal(tmp_path / "a.flac")


@pytest.mark.parametrize(
    ("called", "kept"),
    [
        ("a.wav", "a.wav"),
        ("../../etc/passwd", "passwd"),
        (r"C:\sound\a.wav", "a.wav"),
        ("..", "recording"),
        ("", "recording"),
        (".hidden", "hidden"),
        ("a\0b\n<i>.wav", "a_b_i_.wav"),
        ("Łódź \ud800.wav", "Łódź _.wav"),
        ("ก" * 300 + ".wav", "ก" * 46 + ".wav"),
    ],
)
def test_names_of_kept_recordings_are_no_paths(called: str, kept: str, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"sound")
    rules = Rules(keep=tmp_path / "new" / "kept")
    first, second = rules.keep_copy(upload, called, NOW), rules.keep_copy(upload, called, NOW)
    assert first == tmp_path / "new" / "kept" / f"20261127-010203-000-{kept}"
    assert second == tmp_path / "new" / "kept" / f"20261127-010203-001-{kept}"
    assert second.read_bytes() == b"sound"


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert Rules().keep_copy(tmp_path / "missing", "a.wav", NOW) is None


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf")])
def test_limits_are_above_nothing(wrong: float, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`max_seconds` must be above 0"):
        Rules(max_seconds=wrong)
    with pytest.raises(ValueError, match="`max_megabytes` must be above 0"):
        Rules(max_megabytes=wrong)


def test_what_is_kept_goes_into_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`keep` must be a folder"):
        Rules(keep=tmp_path / "file")
