"""An export for runtimes of TorchScript, in C++ and on phones: the module as a trace records it.

A trace keeps the operations of one pass. Decisions that Python takes on the way are taken once and for all, so a module
whose Python looks at sizes is exact at the sizes of the example alone. Whether it is exact at others is found by
running the file, and where it is not, the file is removed: the formats "onnx" and "torch-export" have no such limit.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from src.deploy.exporting.capture import in_short
from src.deploy.exporting.formats import Format, Run, example_of, quietly
from src.deploy.exporting.module import Exportable
from src.utils.files import as_os_errors

INSTEAD = "export it with `format=onnx` or `format=torch-export`."


def write(exportable: Exportable, path: Path) -> None:
    """Write a `.pt` file."""
    with quietly(), torch.inference_mode(False), torch.no_grad():
        try:
            traced = torch.jit.trace(exportable.module, (example_of(exportable),), check_trace=False)
        except Exception as error:
            raise ValueError(f"This run cannot be traced ({in_short(error)}): {INSTEAD}") from None
        with as_os_errors(path):
            torch.jit.save(traced, str(path))


def open_file(path: Path) -> Run:
    """Load a file of `torch.jit.save`."""
    with quietly():
        module: Any = torch.jit.load(str(path), map_location="cpu").eval()

    def run(waveforms: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(waveforms)))

    return run


TORCHSCRIPT = Format(
    suffix=".pt",
    packages=(),
    write=write,
    open=open_file,
    example="import torch\nrun = torch.jit.load(path).eval()",
    needs="torch",
)
