"""Small corpora for all tests: half a second a clip, tones in noise for genuine speech, tones without noise for spoofs.

The hub is offline and its cache is empty, so that no test can reach the network or depend on what was downloaded.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import settings

from tests.drawn_project import drawn, drawn_once, one_thread, renew_stores, write_run  # noqa: F401 (fixtures)
from tests.in_a_browser import browser  # noqa: F401 (a fixture)

os.environ["HF_HUB_CACHE"] = str(Path(tempfile.gettempdir()) / "audios-tests-without-hub")  # nobody ever makes it
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # on tiny models threads wait for each other longer than they work
os.environ["TQDM_DISABLE"] = "1"

settings.register_profile("audios", deadline=None)  # an example may take long where a machine is busy
settings.load_profile("audios")

RATE = 16_000
MakeCorpus = Callable[..., Path]


def tone(seed: int, *, noise: float, seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    """Return a harmonic tone in noise: what tells the classes of the test corpora apart."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    pitch = rng.uniform(100, 250)
    harmonics = sum(np.sin(2 * np.pi * k * pitch * time + rng.uniform(0, 6)) / k for k in range(1, 12))
    return (0.1 * harmonics + noise * rng.standard_normal(len(time))).astype(np.float32)


def write_corpus(folder: Path, *, people: int = 10, clips: int = 3, without_spoofs: int = 1, seed: int = 0) -> Path:
    """Write a corpus in the AUDIOS layout: `people` of alternating gender, the last ones without spoofs."""
    for number in range(people):
        name = f"Person{number:02d}_{'FM'[number % 2]}{number:03d}"
        sides = [("real_voices", name, f"{name[-4:]}-{{:04d}}.flac", 0.02)]
        if number < people - without_spoofs:
            sides.append(("fake_voices", f"{name}_Fake", "{}_fake.flac", 0.005))
        for side, person, pattern, noise in sides:
            (folder / side / person).mkdir(parents=True)
            for clip in range(clips):
                waveform = tone(seed + 1000 * number + 10 * clip + len(side), noise=noise)
                soundfile.write(folder / side / person / pattern.format(clip), waveform, RATE)
    return folder


@pytest.fixture
def make_corpus(tmp_path: Path) -> MakeCorpus:
    """Return a function that writes a corpus below the test's folder: `make_corpus("name", people=4)`."""

    def make(name: str = "corpus", **options: int) -> Path:
        return write_corpus(tmp_path / "datasets" / name, **options)

    return make


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project root, not to be changed: datasets/corpus, split, with the lfcc embeddings of its splits."""
    from src.experiments.corpus.catalogue import generate_tables
    from src.experiments.corpus.splits import DOWNSTREAM, SplitShares, split_dataset
    from src.experiments.extraction.engines import extract_splits
    from src.experiments.extraction.requests import Request

    root = tmp_path_factory.mktemp("project")
    dataset = write_corpus(root / "datasets" / "corpus", people=16, clips=4)
    generate_tables(dataset)
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    list(extract_splits(Request(dataset, DOWNSTREAM, "lfcc"), root=root))
    return root


@pytest.fixture
def project(prepared: Path, tmp_path: Path) -> Path:
    """Return a copy of the prepared project that a test may change."""
    import shutil

    root = tmp_path / "project"
    shutil.copytree(prepared, root)
    return root
