"""An export for PyTorch itself: the captured graph with its weights, without our code (`torch.export`)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.deploy.exporting.capture import capture
from src.deploy.exporting.formats import Format, Run, quietly
from src.deploy.exporting.module import Exportable
from src.utils.files import as_os_errors


def write(exportable: Exportable, path: Path) -> None:
    """Write a `.pt2` file."""
    program = capture(exportable)
    program._example_inputs = None  # the noise that it was captured with is of no use to anybody
    with as_os_errors(path), quietly():
        torch.export.save(program, path)


def open_file(path: Path) -> Run:
    """Load a file of `torch.export.save`."""
    with quietly():
        module: Any = torch.export.load(path).module()

    def run(waveforms: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(waveforms)))

    return run


TORCH_EXPORT = Format(
    suffix=".pt2",
    packages=(),
    write=write,
    open=open_file,
    example="import torch\nrun = torch.export.load(path).module()",
    needs="torch",
)
