"""A module as a graph of PyTorch's operations, for any batch and any length.

`torch.export` runs the module once with symbols in place of sizes. A size of 0 or 1 it would take for a constant, and a
batch of one clip, or a clip of one window, would need a graph of its own; it is told not to look at the sizes of the
example (`backed_size_oblivious`). What it assumes wrongly all the same is found by running the file at other sizes.
WavLM folds the batch into the heads of its attention: shown a single clip, its graph is one for a single clip, so it is
shown three.
"""

import textwrap
from contextlib import nullcontext
from typing import Any

import torch

from src.deploy.exporting.formats import INPUT, example_of, quietly
from src.deploy.exporting.module import Exportable


def capture(exportable: Exportable) -> Any:
    """Return the `torch.export.ExportedProgram` of a module.

    Raises
    ------
    ValueError
        When the module cannot be captured; the message is one line.
    """
    import torch.fx.experimental._config as module

    settings: Any = module  # its options and patch are made while it is imported
    known = hasattr(settings, "backed_size_oblivious")
    sizes = {INPUT: {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}}
    with quietly(), settings.patch(backed_size_oblivious=True) if known else nullcontext():
        try:
            clips = example_of(exportable).repeat(3 if folds_batch(exportable.module) else 1, 1)
            return torch.export.export(exportable.module, (clips,), dynamic_shapes=sizes, strict=False)
        except Exception as error:
            raise ValueError(f"This run cannot be captured as a graph ({in_short(error)}).") from None


def folds_batch(module: torch.nn.Module) -> bool:
    """Tell whether a part of a module is the attention of WavLM."""
    return any(type(part).__name__ == "WavLMAttention" for part in module.modules())


def in_short(error: BaseException) -> str:
    """Return the first line of what a library says of an error, or of the one that caused it first."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return textwrap.shorten(lines[0].rstrip(".:"), 200)
