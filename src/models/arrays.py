"""Weights as a few named arrays in one safetensors file, which cannot hold code."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from src.models.contract import reading_weights
from src.utils.files import atomic_path

WEIGHTS = "model.safetensors"


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write `model.safetensors`."""
    from safetensors.numpy import save

    with atomic_path(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def load_arrays(folder: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read `model.safetensors`.

    Raises
    ------
    FileNotFoundError
        When there is none.
    ValueError
        When it is damaged, or holds other arrays than those named.
    """
    from safetensors.numpy import load

    path = folder / WEIGHTS
    with reading_weights(path):
        arrays = load(path.read_bytes())
        if set(arrays) != set(names):
            raise ValueError(f"it holds {', '.join(sorted(arrays))}, not {', '.join(sorted(names))}")
    return arrays
