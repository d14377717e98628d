"""Dictionaries of arrays that NumPy pickled are read as NumPy reads them, and nothing that they say is run."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.corpora.pickled_arrays import read_pickled_arrays

LABELS = {
    "text": np.array(["1", "0", "1"]),
    "the same again": np.array(["0"] * 300),
    "numbers": np.array([1, 0, 0]),
    "bytes": np.array([1, 0], dtype=np.uint8),
    "objects": np.array(["1", "0"], dtype=object),
    "a list": ["1", "0"],
    "big-endian": np.array([1, 2], dtype=">i4"),
    "a table": np.arange(6, dtype=float).reshape(2, 3),
    "João": np.zeros(0),
}


def save(path: Path, content: Any, protocol: int) -> Path:
    """Write what np.save writes, with any version of pickle."""
    whole = np.empty((), dtype=object)
    whole[()] = content
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(whole))
        pickle.dump(whole, file, protocol=protocol)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_it_reads_what_numpy_reads(protocol: int, tmp_path: Path) -> None:
    path = save(tmp_path / "labels.npy", LABELS, protocol)
    found, expected = read_pickled_arrays(path), np.load(path, allow_pickle=True).item()
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], np.asarray(values))
        assert name == "objects" or found[name].dtype.kind == np.asarray(values).dtype.kind


def test_many_recordings(tmp_path: Path) -> None:
    np.save(tmp_path / "labels.npy", {f"CON_{n}": np.array(["0", "1"] * 20) for n in range(3000)}, allow_pickle=True)
    assert len(read_pickled_arrays(tmp_path / "labels.npy")) == 3000


class Trap:
    """What would write a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_nothing_is_run(protocol: int, tmp_path: Path) -> None:
    path = save(tmp_path / "trap.npy", {"a": Trap(tmp_path / "sprung")}, protocol)
    with pytest.raises(ValueError, match=r"trap\.npy is no dictionary of arrays as NumPy saves it"):
        read_pickled_arrays(path)
    assert not (tmp_path / "sprung").exists()


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.npy"
    whole = save(path, LABELS, 4).read_bytes()
    contents = [b"", b"no array", whole[:40], whole[:-20], whole[:200]]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is no dictionary of arrays as NumPy saves it") as error:
            read_pickled_arrays(path)
        assert len(str(error.value).splitlines()) == 1
    for other in (np.arange(3), np.array(["a"], dtype=object)):
        np.save(path, other, allow_pickle=True)
        with pytest.raises(ValueError, match="it holds an array"):
            read_pickled_arrays(path)
    for inside in (["a"], {"a": {"b": 1}}, {"a": None}, {"a": 1 + 2j}):
        with pytest.raises(ValueError, match="is no dictionary of arrays"):
            read_pickled_arrays(save(path, inside, 4))
