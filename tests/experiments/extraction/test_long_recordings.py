"""The windows of a long recording that cannot seek are read by one process, with the samples that each has alone."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.io import load_stretch
from src.experiments.extraction.batches import Batch, Piece, cut
from src.experiments.extraction.one_reader import OneReader
from src.experiments.extraction.readers import read_ahead, read_lengths
from tests.audio.test_forward import write_m4a

RATE = 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two recordings that cannot seek and one that can, of two seconds each."""
    folder = tmp_path_factory.mktemp("long")
    sound = 0.1 * np.random.default_rng(3).standard_normal(2 * RATE)
    write_m4a(folder / "long.m4a", sound, RATE)
    soundfile.write(folder / "long.wav", sound, RATE, subtype="GSM610")
    soundfile.write(folder / "short.flac", sound, RATE)
    return folder


def which_process(wanted: int) -> tuple[int, int]:
    if wanted < 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    return wanted, os.getpid()


def test_windows_are_those_that_are_read_alone_and_come_in_order(folder: Path) -> None:
    lengths = read_lengths(folder, ["long.m4a", "long.wav", "short.flac"])
    in_one_pass = {file for file, length in lengths.items() if length.in_one_pass}
    assert in_one_pass == {"long.m4a", "long.wav"}
    windows = {file: cut(file, length.samples(RATE), 5000) for file, length in lengths.items()}
    batches: list[Batch] = [(Piece("short.flac"),), *zip(*[iter(windows["long.m4a"][:6])] * 2, strict=True)]
    batches += [tuple(windows["long.wav"]), tuple(windows["short.flac"])]
    found = list(read_ahead(folder, batches, rate=RATE, min_samples=1, in_one_pass=in_one_pass))
    assert [tuple(sound.piece for sound in sounds) for sounds in found] == batches
    for sound in (sound for sounds in found[1:] for sound in sounds):
        piece = sound.piece
        np.testing.assert_array_equal(sound.waveform, load_stretch(folder / piece.file, piece.start, piece.stop))


def test_one_process_reads_all_in_order_and_another_follows_when_it_dies() -> None:
    reader = OneReader(which_process, {})
    jobs = [reader.submit(number) for number in range(20)]
    assert [job.result()[0] for job in jobs] == list(range(20))
    (process,) = {job.result()[1] for job in jobs}
    with pytest.raises(Exception, match="SIGSEGV"):
        reader.submit(-1).result()
    reader.close()
    number, other = reader.submit(7).result()
    assert (number, other == process) == (7, False)
    reader.close()
    reader.close()
