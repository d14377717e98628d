"""Cues are measured once: what is in the table of a corpus is not measured again, whatever else happens to it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.cues import CUES, cues_of
from src.experiments.corpus import cue_table
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.cue_table import CUE_TABLE, UNDER_WAY, read_cues
from src.utils.dataset import read_files
from tests.forked import finished, forked

RATE = 16_000


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return a corpus of six clips, one of them silent."""
    rng = np.random.default_rng(7)
    for folder in ("real_voices/Ana_F001", "fake_voices/Ana_F001_Fake"):
        (tmp_path / "corpus" / folder).mkdir(parents=True)
        for clip in range(3):
            loud = 0.0 if "real" in folder and clip == 2 else 0.1
            soundfile.write(tmp_path / "corpus" / folder / f"{clip}.flac", loud * rng.standard_normal(4000), RATE)
    generate_tables(tmp_path / "corpus")
    return tmp_path / "corpus"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of the clips that were measured since."""
    done: list[str] = []

    def noted(path: Path) -> dict[str, float | str]:
        done.append(path.parent.name + "/" + path.name)
        return cues_of(path)

    monkeypatch.setattr(cue_table, "cues_of", noted)
    return done


def test_cues_are_those_of_each_clip_in_the_order_asked_for(dataset: Path) -> None:
    files = read_files(dataset)["file"].tolist()[::-1]
    table = read_cues(dataset, files)
    assert table["file"].tolist() == files
    assert list(table) == ["file", *CUES, "reason"]
    for _, row in table[table["reason"] == ""].iterrows():
        assert row[list(CUES)].to_dict() == cues_of(dataset / row["file"])


def test_a_clip_that_cannot_be_used_has_a_reason_and_no_cues(dataset: Path) -> None:
    for _ in range(2):  # measured, and read back
        row = read_cues(dataset, ["real_voices/Ana_F001/2.flac"]).iloc[0]
        assert row["reason"] == "silent (no sample above -80 dBFS)"
        assert np.isnan(row["duration"])


def test_nothing_is_measured_twice_and_values_come_back_to_the_last_digit(dataset: Path, measured: list[str]) -> None:
    files = read_files(dataset)["file"].tolist()
    first = read_cues(dataset, files[:4])
    read_cues(dataset, files)
    assert len(measured) == len(set(measured)) == 6
    assert read_cues(dataset, files[:4]).equals(first)


def change(dataset: Path) -> None:
    soundfile.write(dataset / "real_voices/Ana_F001/0.flac", np.full(900, 0.1) * (-1) ** np.arange(900), RATE)


def forget(dataset: Path) -> None:
    lines = (dataset / CUE_TABLE).read_text().splitlines()
    kept = [line for line in lines if "Ana_F001/0.flac" not in line]
    (dataset / CUE_TABLE).write_text("\n".join(kept) + "\n")


@pytest.mark.parametrize("happens", [change, forget])
def test_only_what_is_new_or_was_changed_is_measured_again(
    happens: Callable[[Path], None], dataset: Path, measured: list[str]
) -> None:
    files = read_files(dataset)["file"].tolist()
    read_cues(dataset, files)
    happens(dataset)
    measured.clear()
    table = read_cues(dataset, files)
    assert measured == ["Ana_F001/0.flac"]
    assert table.set_index("file").loc["real_voices/Ana_F001/0.flac", "duration"] == cues_of(
        dataset / "real_voices/Ana_F001/0.flac"
    ).get("duration")


@pytest.mark.parametrize("damage", ["", "file,state\na,b\n", "\xff\xfe", "file"])
def test_a_damaged_table_costs_time_and_nothing_else(damage: str, dataset: Path, measured: list[str]) -> None:
    files = read_files(dataset)["file"].tolist()
    first = read_cues(dataset, files)
    (dataset / CUE_TABLE).write_bytes(damage.encode("latin-1"))
    assert read_cues(dataset, files).equals(first)
    assert len(measured) == 12


def test_another_version_of_the_measurement_measures_again(
    dataset: Path, measured: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = read_files(dataset)["file"].tolist()
    read_cues(dataset, files)
    monkeypatch.setattr(cue_table, "VERSION", "2")
    read_cues(dataset, files)
    assert len(measured) == 12


def stopped_before(clip: int, monkeypatch: pytest.MonkeyPatch, stop: Callable[[], None]) -> None:
    """Let a measurement note its rows two at a time, and stop it before a clip, counted from 0."""
    measured: list[Path] = []

    def measure(path: Path) -> dict[str, float | str]:
        if len(measured) == clip:
            stop()
        measured.append(path)
        return cues_of(path)

    monkeypatch.setattr(cue_table, "AT_ONCE", 2)
    monkeypatch.setattr(cue_table, "cues_of", measure)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_measurement_that_was_killed_resumes_where_it_was(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = read_files(dataset)["file"].tolist()
    read_cues(dataset, files)
    whole = (dataset / CUE_TABLE).read_bytes()
    (dataset / CUE_TABLE).unlink()
    for clip in (5, 1):  # the second kill comes after the rows of the first were taken over
        with monkeypatch.context() as patched:
            stopped_before(clip, patched, die)
            assert finished(forked(read_cues, dataset, files)) == -signal.SIGKILL
    done: list[Path] = []
    monkeypatch.setattr(cue_table, "cues_of", lambda path: done.append(path) or cues_of(path))
    read_cues(dataset, files)
    assert done == [dataset / file for file in files[4:]]
    assert (dataset / CUE_TABLE).read_bytes() == whole
    assert not (dataset / UNDER_WAY).exists()


def test_rows_that_were_cut_at_any_byte_are_gone_on_with(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = read_files(dataset)["file"].tolist()
    read_cues(dataset, files[:1])
    table = (dataset / CUE_TABLE).read_bytes()
    with monkeypatch.context() as patched:
        stopped_before(4, patched, interrupt)
        patched.setattr(cue_table, "AT_ONCE", 1)
        with pytest.raises(KeyboardInterrupt):
            read_cues(dataset, files)
    noted = (dataset / UNDER_WAY).read_bytes()
    assert (dataset / CUE_TABLE).read_bytes() == table, "the table is written at the end"
    done: list[Path] = []
    known = {file: cues_of(dataset / file) if "2.flac" not in file or "fake" in file else None for file in files}
    for cut in [*range(0, len(noted), 23), len(noted) - 1, len(noted)]:
        (dataset / CUE_TABLE).write_bytes(table)
        (dataset / UNDER_WAY).write_bytes(noted[:cut])
        done.clear()
        with monkeypatch.context() as patched:
            patched.setattr(cue_table, "cues_of", lambda path: done.append(path) or cues_of(path))
            found = read_cues(dataset, files).set_index("file")
        assert len(done) == 5 - max(0, noted[:cut].count(b"\n") - 1)
        for file, cues in known.items():
            assert cues is None or found.loc[file, list(CUES)].to_dict() == cues
        assert not (dataset / UNDER_WAY).exists()


def test_a_table_that_is_measured_in_parts_is_the_same_to_the_byte(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = read_files(dataset)["file"].tolist()
    read_cues(dataset, files)
    whole = (dataset / CUE_TABLE).read_bytes()
    (dataset / CUE_TABLE).unlink()
    monkeypatch.setattr(cue_table, "AT_ONCE", 1)
    read_cues(dataset, files)
    assert (dataset / CUE_TABLE).read_bytes() == whole
    for changed in files[:2]:
        (dataset / changed).write_bytes((dataset / changed).read_bytes() + b"0")
    read_cues(dataset, files[::-1])
    lines, then = (dataset / CUE_TABLE).read_bytes().splitlines(), whole.splitlines()
    assert [line.split(b",")[0] for line in lines] == [line.split(b",")[0] for line in then], "rows keep their places"
    assert lines[1] != then[1] and lines[2] != then[2] and lines[3:] == then[3:]


def test_a_folder_that_cannot_be_written_is_told_once(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, table: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(cue_table, "write_table", refused)
    monkeypatch.setattr(cue_table, "_note", lambda *_: False)
    monkeypatch.setattr(cue_table, "AT_ONCE", 2)
    with pytest.warns(UserWarning, match="are not kept") as told:
        read_cues(dataset, read_files(dataset)["file"].tolist())
    assert len(told) == 1


def test_recordings_that_are_missing_are_counted_and_the_first_is_named(dataset: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"1 recordings .* missing \(first: real_voices/Ana_F001/9.flac\)"):
        read_cues(dataset, ["real_voices/Ana_F001/9.flac"])
