"""A project whose embeddings are drawn, not computed: three layers of which the classes overlap, so that EERs vary."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pytest

SEPARATIONS = (0.3, 0.9, 0.6)
"""Distance of the classes' means in each of the `DIMENSION` numbers, in deviations, layer by layer."""
DIMENSION = 6


def draw_statistics(file: str) -> np.ndarray:
    """Return mean and deviation of every layer, shape (3, 2, DIMENSION); the same for the same clip."""
    statistics = np.random.default_rng(crc32(file.encode())).standard_normal((len(SEPARATIONS), 2, DIMENSION))
    if file.startswith("real_voices"):
        statistics[:, 0] += np.array(SEPARATIONS)[:, None]
    return statistics


def write_stores(root: Path, corpus: str = "corpus", *, model: str = "drawn", take: str = "") -> None:
    """Write the stores of the downstream splits of `<root>/datasets/<corpus>` anew, as those of the backbone hubert.

    Another `take` stands for other recordings under the same names.
    """
    from src.experiments.corpus.splits import DOWNSTREAM, read_split
    from src.utils.embedding_store import EmbeddingStore, Row
    from src.utils.paths import embeddings_folder

    identity = {
        "model": model,
        "digest": f"of {model}",
        "precision": "fp32",
        "layers": [0, 1, 2],
        "dimension": DIMENSION,
    }
    for split in DOWNSTREAM:
        clips = read_split(root / "datasets" / corpus, split)
        files = clips["file"].tolist()
        folder = embeddings_folder(root, root / "datasets" / corpus, "hubert", split)
        shutil.rmtree(folder, ignore_errors=True)
        with EmbeddingStore(folder, identity) as store:
            rows = [Row(file, file + take, 1) for file in files]
            store.append(rows, np.stack([draw_statistics(file) for file in files]))
            store.finish(clips, {row.file: row.fingerprint for row in rows})


def write_project(root: Path, *, people: int = 17, clips: int = 4) -> None:
    """Write tables, splits and stores of a corpus without recordings; its last person has no spoofs."""
    from src.experiments.corpus.splits import SplitShares, split_dataset
    from src.utils.dataset import FILE_COLUMNS, write_tables

    rows = []
    for number in range(people):
        gender = "FM"[number % 2]
        name, identity = f"Person{number:02d}", f"{gender}{number:03d}"
        for clip in range(clips):
            genuine = f"real_voices/{name}_{identity}/{clip}.wav"
            rows.append([genuine, name, identity, gender, "bona-fide", ""])
            if number < people - 1 and clip > 0:  # fewer spoofs, so that accuracy and EER are different numbers
                spoof = f"fake_voices/{name}_{identity}_Fake/{clip}.wav"
                rows.append([spoof, name, identity, gender, "spoof", "xtts"])
    dataset = root / "datasets" / "corpus"
    dataset.mkdir(parents=True)
    write_tables(dataset, pd.DataFrame(rows, columns=FILE_COLUMNS))
    split_dataset(dataset, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    write_stores(root)


@pytest.fixture(scope="session")
def write_run() -> Callable[..., Path]:
    """Return a function that writes a run folder by hand: `write_run(folder, eer=0.05, tested=True, layer=3)`."""

    def write(folder: Path, *, eer: float = 0.05, tested: bool = True, **hyperparameters: object) -> Path:
        inputs = {"corpus": "mini", "backbone": "lfcc", "model": "lfcc-40", "classifier": "svm", "layer": 0}
        inputs |= {"pooling": "mean", "seed": 7, "C": 1.5, **hyperparameters}
        test = {"eer": {"value": eer + 0.01, "low": eer / 2, "high": 2 * eer}, "threshold": {"value": 0.25}}
        test |= {name: {"value": 0.3, "low": 0.2, "high": 0.4} for name in ("min_dcf", "cllr")}
        test |= {"n_spoof": {"value": 2, "low": None, "high": None}}
        test["breakdowns"] = {"gender": {"F": {"eer": {"value": 0.1, "low": None, "high": None}}}}
        test["about"] = {"corpus": inputs["corpus"], "split": "downstream_test", "n_people": 12, "confidence": 0.95}
        contents = {
            "hyperparameters.json": inputs,
            "metrics.json": {"split": "downstream_val", "eer": eer, "auc": 0.9},
            "provenance.json": {"code": "abc", "ended": "2026-01-02T03:04:05+00:00", "data": {"embeddings": {}}},
        }
        folder.mkdir(parents=True)
        (folder / "model.skops").touch()
        for name, content in (contents | ({"test_results.json": test} if tested else {})).items():
            (folder / name).write_text(json.dumps(content))
        if tested:
            rows = [
                "real/a.wav,bona-fide,0.2,Ann,F,",
                "real/b.wav,bona-fide,0.9,Ben,M,",
                "fake/a.wav,spoof,0.75,Ann,F,xtts",
            ]
            (folder / "scores.csv").write_text("\n".join(["file,label,score,speaker,gender,system", *rows]))
        return folder

    return write


@pytest.fixture(scope="session")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a root with datasets/corpus, split, and drawn embeddings; not to be changed."""
    root = tmp_path_factory.mktemp("drawn")
    write_project(root)
    return root


@pytest.fixture
def drawn(drawn_once: Path, tmp_path: Path) -> Path:
    """Return a copy of that root which a test may change."""
    return Path(shutil.copytree(drawn_once, tmp_path / "drawn"))


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Let torch work in one thread: on batches this small several do nothing but wait for each other."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def renew_stores() -> Callable[..., None]:
    """Return the function that writes a corpus's stores anew: `renew_stores(root, "corpus", model="drawn")`."""
    return write_stores
