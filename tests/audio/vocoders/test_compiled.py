"""Two processes do not compile the same functions at the same time: what they leave on the disk belongs together."""

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

STAND_IN = """
import os, time
from types import SimpleNamespace

def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    with open(os.environ["AUDIOS_LOG"], "a", buffering=1) as log:
        log.write(f"{os.getpid()}\\n")
        time.sleep(0.05)
        log.write(f"{os.getpid()}\\n")
    return SimpleNamespace(mel=len) if name == "filters" else len
"""
SCRIPT = "from src.audio.vocoders.compiled import load_librosa; load_librosa()"


@pytest.mark.parametrize("cache", ["", "not/there"], ids=["beside compiled code", "in the user's own file"])
def test_librosa_is_imported_by_one_process_at_a_time(tmp_path: Path, cache: str) -> None:
    (tmp_path / "librosa.py").write_text(STAND_IN)
    log = tmp_path / "log.txt"
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    own = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path / cache), "AUDIOS_LOG": str(log)}
    processes = [subprocess.Popen([sys.executable, "-c", SCRIPT], env=own) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    lines = log.read_text().split()
    assert len(lines) == 3 * 2 * 4
    assert len(list(groupby(lines))) == 3, "the processes have taken turns"
    assert (tmp_path / "audios-librosa.lock").exists() == (not cache)
