"""What a format of an export offers: how a module becomes a file, and how the file is run by its own runtime."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from src.deploy.exporting.module import Exportable

INPUT, OUTPUT = "waveforms", "scores"
Run = Callable[[np.ndarray], np.ndarray]
"""Waveforms (b, n), float32 -> scores (b,)."""
NOISY = ("torch.onnx", "torch.export", "torch.fx", "torch.fx.experimental.symbolic_shapes")


@dataclass(frozen=True)
class Format:
    """A kind of file."""

    suffix: str
    packages: tuple[str, ...]
    """What writing and running it needs beside PyTorch."""
    write: Callable[[Exportable, Path], None]
    """Write the file; raise ValueError of one line where the module does not fit the format."""
    open: Callable[[Path], Run]
    """Load the file into its own runtime."""
    example: str
    """Lines of Python that load the file `path` and define `run`, waveforms (1, n) -> scores (1,)."""
    needs: str
    """Packages that the example needs, as pip names them."""

    def require_packages(self) -> None:
        """Raise ValueError unless what the format needs is installed."""
        missing = [package for package in self.packages if find_spec(package) is None]
        if missing:
            raise ValueError(f"This format needs the package {missing[0]}: pip install -e '.[export]'.")


def example_of(exportable: Exportable) -> torch.Tensor:
    """Return waveforms (1, n) that an exporter follows through the module."""
    noise = np.random.default_rng(0).standard_normal((1, exportable.typical))
    return torch.from_numpy(0.1 * noise.astype(np.float32))


@contextmanager
def quietly() -> Iterator[None]:
    """Keep what exporters tell their developers from our users."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
