import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from loky.process_executor import TerminatedWorkerError

from src.audio.io import SILENT, load_waveform
from src.experiments.extraction import readers
from src.experiments.extraction.batches import Batch, Piece, cut
from src.experiments.extraction.readers import Length, Sound, n_readers, read_ahead, read_lengths, survey
from src.utils.parallel import signal_of

RATE = 16_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of thirty recordings, `00.flac` to `29.flac`, each a little longer than the one before."""
    rng = np.random.default_rng(0)
    for number in range(30):
        soundfile.write(tmp_path / f"{number:02d}.flac", rng.uniform(-0.5, 0.5, 400 + number), RATE)
    return tmp_path


def batches_of(folder: Path, size: int = 2) -> list[Batch]:
    pieces = [Piece(path.name) for path in sorted(folder.glob("*.flac"))]
    return [tuple(pieces[start : start + size]) for start in range(0, len(pieces), size)]


def read(dataset: Any, batches: Any, **options: int) -> Iterator[list[Sound]]:
    return read_ahead(dataset, batches, rate=RATE, min_samples=320, **options)


def deadly(folder: Path, how: signal.Signals, *files: str, **others: signal.Signals) -> Any:
    """Return what stands for a folder of which some files end the process that opens them."""
    signals = {**dict.fromkeys(files, how), **others}

    class Deadly:  # made here, so that it goes to the other process whole
        def __truediv__(self, file: str) -> Path:
            if file in signals:
                os.kill(os.getpid(), signals[file])
            return folder / file

    return Deadly()


def test_batches_come_in_the_order_asked_for(folder: Path) -> None:
    batches = batches_of(folder)[::-1]
    found = list(read(folder, batches))
    assert [tuple(sound.piece for sound in sounds) for sounds in found] == batches
    for sound in (sound for sounds in found for sound in sounds):
        np.testing.assert_array_equal(sound.waveform, load_waveform(folder / sound.piece.file))
        assert (sound.reason, sound.silent, sound.waveform.dtype) == ("", False, np.float32)


def test_recordings_are_resampled(folder: Path) -> None:
    (sounds,) = read_ahead(folder, batches_of(folder)[:1], rate=8000, min_samples=1)
    assert [len(sound.waveform) for sound in sounds] == [200, 201]


def test_what_cannot_be_used_has_a_reason_and_no_sound(folder: Path) -> None:
    (folder / "00.flac").write_bytes(b"this is no sound")
    soundfile.write(folder / "01.flac", np.sin(np.arange(319)), RATE)
    soundfile.write(folder / "02.flac", np.zeros(900), RATE)
    ((bad, short, silent, good),) = read(folder, [tuple(Piece(f"{number:02d}.flac") for number in range(4))])
    assert bad.reason.startswith("unreadable")
    assert short.reason == "too short (319 samples at 16000 Hz; a frame needs 320)"
    assert silent.reason == SILENT
    assert good.reason == ""
    assert [len(sound.waveform) for sound in (bad, short, silent, good)] == [0, 0, 0, 403]


def test_windows_are_stretches_and_may_be_silent(folder: Path) -> None:
    waveform = np.random.default_rng(1).uniform(-0.5, 0.5, 1200)
    waveform[400:800] = 0
    soundfile.write(folder / "long.wav", waveform, RATE, subtype="FLOAT")
    (sounds,) = read(folder, [tuple(cut("long.wav", 1200, 400))])
    np.testing.assert_array_equal(np.concatenate([sound.waveform for sound in sounds]), waveform.astype(np.float32))
    assert [sound.silent for sound in sounds] == [False, True, False]
    assert [sound.reason for sound in sounds] == [""] * 3


@pytest.mark.parametrize("ahead", [1, 3, 0])
def test_recordings_are_read_a_few_ahead_and_no_more(folder: Path, ahead: int) -> None:
    """A slow model must not find the whole corpus in memory."""
    batches = batches_of(folder, 1)
    taken: list[Batch] = []

    def asked() -> Iterator[Batch]:
        for batch in batches:
            taken.append(batch)
            yield batch

    found = read(folder, asked(), ahead=ahead)
    for n_read in range(1, 6):
        assert next(found)[0].piece == batches[n_read - 1][0]
        assert len(taken) == n_read - 1 + (ahead or 2 * n_readers()) < len(batches)
    assert [sounds[0].piece for sounds in found] == [batch[0] for batch in batches[5:]]


def test_a_recording_that_is_missing_stops_the_reading(folder: Path) -> None:
    batches = batches_of(folder)
    (folder / "05.flac").unlink()
    with pytest.raises(FileNotFoundError, match=r"There is no recording .*05\.flac"):
        list(read(folder, batches))


@pytest.mark.parametrize("culprits", [("00.flac",), ("07.flac",), ("06.flac", "07.flac", "28.flac")])
def test_a_recording_that_kills_its_reader_is_named_and_left_out(folder: Path, culprits: tuple[str, ...]) -> None:
    batches = batches_of(folder)
    found = list(read(deadly(folder, signal.SIGSEGV, *culprits), batches))
    assert [tuple(sound.piece for sound in sounds) for sounds in found] == batches, "all come, in order"
    for sound in (sound for sounds in found for sound in sounds):
        if sound.piece.file in culprits:
            assert sound.reason == "unreadable (the decoder crashed: SIGSEGV)"
            assert len(sound.waveform) == 0
        else:
            assert sound.reason == ""
            np.testing.assert_array_equal(sound.waveform, load_waveform(folder / sound.piece.file))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_reader_ended_by_the_system_stops_the_reading_and_the_next_start_works(
    folder: Path, how: signal.Signals
) -> None:
    """A recording is not to blame when a machine is out of memory."""
    batches = batches_of(folder)
    with pytest.raises(ChildProcessError) as caught:
        list(read(deadly(folder, how, "07.flac"), batches))
    assert str(caught.value) == (
        f"The system ended a process that reads recordings ({how.name}), possibly out of memory: "
        "run the same command again; finished work is kept."
    )
    assert caught.value.__suppress_context__
    assert len(list(read(folder, batches))) == len(batches)


def test_a_survey_answers_for_every_recording_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [path.name for path in sorted(folder.glob("*.flac"))][::-1]
    expected = {file: (folder / file).stat().st_size for file in files}
    for at_once in (readers.FILES_AT_ONCE, 30, 29, 4):
        monkeypatch.setattr(readers, "FILES_AT_ONCE", at_once)
        found = survey(lambda path: path.stat().st_size, folder, files)
        assert list(found.items()) == list(expected.items())
    assert survey(lambda path: 0, folder, []) == {}


@pytest.mark.parametrize("culprits", [("00.flac",), ("07.flac", "29.flac"), ("28.flac", "29.flac")])
def test_recordings_that_kill_their_reader_are_missing_from_a_survey(
    folder: Path, culprits: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "FILES_AT_ONCE", 4)
    files = [path.name for path in sorted(folder.glob("*.flac"))]
    found = survey(lambda path: path.name, deadly(folder, signal.SIGSEGV, *culprits), files)
    assert list(found.items()) == [(file, file) for file in files if file not in culprits]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_survey_ended_by_the_system_ends_in_one_line(folder: Path, how: signal.Signals) -> None:
    with pytest.raises(ChildProcessError, match=rf"reads recordings \({how.name}\), .*run the same command") as caught:
        survey(lambda path: 0, deadly(folder, how, "07.flac"), ["06.flac", "07.flac"])
    assert "\n" not in str(caught.value)
    assert survey(lambda path: 1, folder, ["06.flac"]) == {"06.flac": 1}


def test_what_the_system_ended_once_is_not_tried_again(folder: Path, tmp_path: Path) -> None:
    """There is no memory for a second try: it would be ended as well, or something else would."""
    mark = tmp_path / "mark"

    class Once:
        def __truediv__(self, file: str) -> Path:
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return folder / file

    with pytest.raises(ChildProcessError, match="run the same command again"):
        list(read(Once(), batches_of(folder)))


@pytest.mark.parametrize("how", ["read", "survey"])
def test_the_system_is_not_taken_for_a_decoder(folder: Path, how: str) -> None:
    """Also while the recordings that may have killed a reader are tried one by one."""
    files = [f"{number:02d}.flac" for number in range(8)]
    dataset = deadly(folder, signal.SIGSEGV, "05.flac", **{"07.flac": signal.SIGKILL})
    with pytest.raises(ChildProcessError, match=r"The system ended a process that reads recordings \(SIGKILL\)"):
        list(read(dataset, [tuple(map(Piece, files))]) if how == "read" else survey(str, dataset, files))


def test_an_error_in_a_survey_is_raised_as_it_is(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no recording .*gone\.flac"):
        read_lengths(folder, ["00.flac", "gone.flac"])


def test_lengths_come_from_the_header(folder: Path) -> None:
    (folder / "08.flac").write_bytes(b"this is no sound")
    found = read_lengths(folder, ["07.flac", "08.flac"])
    assert found["07.flac"] == Length(407, RATE)
    assert (found["07.flac"].samples(RATE), found["07.flac"].samples(8000)) == (407, 204)
    assert found["07.flac"].seconds == 407 / RATE
    assert (found["08.flac"].n_frames, found["08.flac"].reason[:10]) == (0, "unreadable")
    assert read_lengths(folder, []) == {}


def test_a_recording_that_kills_its_reader_has_a_reason_in_place_of_a_length(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deadly(path: Path) -> Length:
        if path.name == "03.flac":
            os.kill(os.getpid(), signal.SIGSEGV)
        return Length(1, 1)

    monkeypatch.setattr(readers, "_read_length", deadly)
    found = read_lengths(folder, ["02.flac", "03.flac", "04.flac"])
    assert found["02.flac"] == found["04.flac"] == Length(1, 1)
    assert found["03.flac"].reason.startswith("unreadable (the decoder crashed")


@pytest.mark.parametrize(
    ("codes", "name"),
    [
        ("SIGSEGV(-11)", "SIGSEGV"),
        ("SIGABRT(-6), SIGTERM(-15)", "SIGABRT"),
        ("EXIT(1)", "no signal reported"),
        ("", "no signal reported"),
    ],
)
def test_the_signal_is_found_in_what_loky_says(codes: str, name: str) -> None:
    said = (
        f"A worker process managed by the executor was terminated.\n\nThe exit codes of the workers are {{{codes}}}\n"
    )
    assert signal_of(TerminatedWorkerError(said)) == name


def test_the_reading_processes_start_without_heavy_libraries() -> None:
    heavy = {"torch", "transformers", "pandas", "scipy", "sklearn", "librosa", "matplotlib"}
    code = f"import sys, src.experiments.extraction.readers; print(sorted(sys.modules.keys() & {heavy}))"
    repository = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
