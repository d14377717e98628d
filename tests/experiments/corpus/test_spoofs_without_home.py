"""Spoofs are made without a writable home folder as well (fault 10, docs/faults.md)."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from src.audio.io import SPEECH_RATE, save_waveform
from src.audio.voices import draw_voice, speak
from src.experiments.corpus import spoofing
from src.visualize import places

NOWHERE = Path(os.devnull) / "home"
"""Below a file: not even root makes a folder there."""
SCRIPT = """
import os, sys
from pathlib import Path
from numba.core import caching
from src.experiments.corpus.spoofing import create_spoofs
from src.visualize import places

def refuse(self):
    raise OSError("read-only file system")

beside_the_code = next(getattr(caching, name) for name in dir(caching) if name.endswith("InTreeCacheLocator"))
beside_the_code.ensure_cache_path = refuse
places.find_spec = lambda package: type("", (), {"origin": os.devnull + "/librosa/__init__.py"})
create_spoofs(Path(sys.argv[1]))
folder = os.environ["NUMBA_CACHE_DIR"]
print(folder, any(Path(folder).rglob("*.nbi")))
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Return a corpus of one clip, which is copied in the process itself."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "corpus" / "real_voices" / "Ana_F001"
    folder.mkdir(parents=True)
    (tmp_path / "corpus" / "fake_voices").mkdir()
    save_waveform(folder / "0.flac", speak(draw_voice("F", rng), 0.5, rng))
    return tmp_path / "corpus"


def test_numba_is_given_a_cache_before_the_workers_start(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def given(*packages: str) -> None:
        calls.append(f"{packages} {corpus.with_name('corpus_spoofed').exists()}")

    monkeypatch.setattr(places, "give_numba_a_place", given)
    spoofing._give_librosa_a_cache.cache_clear()
    spoofing.create_spoofs(corpus)
    spoofing._give_librosa_a_cache.cache_clear()
    assert calls == ["('librosa',) False"]


@pytest.mark.slow
def test_spoofs_are_made_without_a_writable_home(corpus: Path) -> None:
    left_out = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    own = {name: value for name, value in os.environ.items() if name not in left_out}
    quickly = {"NUMBA_OPT": "0", "OMP_NUM_THREADS": "1"}  # what is compiled need not be fast
    own |= {"HOME": str(NOWHERE), "PYTHONPATH": str(Path(__file__).parents[3]), **quickly}
    command = [sys.executable, "-c", SCRIPT, str(corpus)]
    done = subprocess.run(command, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cache, is_used = done.stdout.split()[-2:]
    assert "audios-numba-" in cache
    assert is_used == "True"
    assert not Path(cache).exists()
    spoof = corpus.with_name("corpus_spoofed") / "fake_voices" / "Ana_F001_Fake" / "0_fake.flac"
    assert soundfile.info(spoof).frames == SPEECH_RATE // 2
