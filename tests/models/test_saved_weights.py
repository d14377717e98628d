"""What classifiers save runs no code when it is read, is complete or absent, and is refused when it is damaged."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.models.arrays import save_arrays
from src.utils.embeddings import EmbeddingTable

Make = Callable[..., Any]
DrawTable = Callable[..., EmbeddingTable]


def test_no_file_runs_code_when_it_is_read(name: str, make: Make, draw_table: DrawTable, tmp_path: Path) -> None:
    """Fault 8: model files were pickles."""
    classifier = make()
    classifier.fit(draw_table(), draw_table(seed=1))
    classifier.save(tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == (["best_model.safetensors", "final_model.safetensors"] if name == "mlp" else [weights(name)])
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert_is_no_pickle(content)
        if weights(name) != "model.skops":
            size = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + size])
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
            assert max(ends) == len(content) - 8 - size, "nothing but the tensors of the header"
            continue
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                part = archive.read(member)
                assert_is_no_pickle(part)
                if member == "schema.json":
                    json.loads(part)
                else:
                    np.load(io.BytesIO(part), allow_pickle=False)


def assert_is_no_pickle(content: bytes) -> None:
    with pytest.raises(Exception):  # noqa: B017 (unpickling what is none raises anything)
        pickle.loads(content)


class RunsCode:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def weights(name: str) -> str:
    return {"mlp": "best_model.safetensors", "rf": "model.skops", "gb": "model.skops"}.get(name, "model.safetensors")


def test_a_pickle_under_the_name_of_the_weights_is_refused_unread(name: str, make: Make, tmp_path: Path) -> None:
    """Fault 8: model files were pickles."""
    (tmp_path / weights(name)).write_bytes(pickle.dumps(RunsCode(tmp_path / "ran")))
    with pytest.raises(ValueError, match=r"cannot be read .* it is damaged or another model's; train again"):
        type(make()).load(tmp_path, make().config)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["rf", "gb"])
def test_a_file_that_names_foreign_functions_is_refused(name: str, make: Make, tmp_path: Path) -> None:
    import os
    from functools import partial

    import skops.io

    skops.io.dump({"estimator": partial(os.getcwd)}, tmp_path / "model.skops")
    with pytest.raises(ValueError, match=r"cannot be read \(Untrusted types found .*getcwd"):
        type(make()).load(tmp_path, make().config)


@pytest.mark.parametrize("size", [0, 10, 300])
def test_damaged_weights_are_named_in_one_line(
    name: str, make: Make, draw_table: DrawTable, tmp_path: Path, size: int
) -> None:
    classifier = make()
    classifier.fit(draw_table(), draw_table(seed=1))
    classifier.save(tmp_path)
    path = tmp_path / weights(name)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=f"{path} cannot be read ") as caught:
        type(classifier).load(tmp_path, classifier.config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["svm", "lr", "knn"])
def test_the_arrays_of_another_classifier_are_named(name: str, make: Make, tmp_path: Path) -> None:
    save_arrays(tmp_path, {"mean": np.zeros(3), "trees": np.zeros(3)})
    with pytest.raises(ValueError, match=r"cannot be read \(it holds mean, trees, not .*deviation.*another model's"):
        type(make()).load(tmp_path, make().config)


def test_a_folder_without_weights_is_named(name: str, make: Make, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{tmp_path} holds no {weights(name)}: its training did not finish"):
        type(make()).load(tmp_path, make().config)


def test_saving_leaves_no_temporary_file_and_replaces_what_was_there(
    make: Make, draw_table: DrawTable, tmp_path: Path
) -> None:
    val = draw_table(seed=1)
    for seed in (1, 2):
        classifier = make(seed=seed)
        classifier.fit(draw_table(seed=seed), val)
        classifier.save(tmp_path)
        loaded = type(classifier).load(tmp_path, classifier.config)
    assert not list(tmp_path.glob(".*"))
    assert loaded.scores(val.vectors).tobytes() == classifier.scores(val.vectors).tobytes()
