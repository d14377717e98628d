"""An export for every runtime of ONNX: one file, weights included, of batch and length free.

Names of scopes and places in our source, which the exporter notes at every node, are taken out again: they would tell
where the code lies on the exporter's disk.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from src.deploy.exporting.capture import capture, in_short
from src.deploy.exporting.formats import INPUT, OUTPUT, Format, Run, quietly
from src.deploy.exporting.module import Exportable

MOST_BYTES = 2_000_000_000
"""A file of ONNX with its weights inside ends at 2 GB."""
AXES = ("batch", "samples")


def write(exportable: Exportable, path: Path) -> None:
    """Write a `.onnx` file.

    Raises
    ------
    ValueError
        When the weights do not fit into one file, or the module has no form in ONNX.
    """
    n_bytes = sum(each.numel() * each.element_size() for each in exportable.module.state_dict().values())
    if n_bytes > MOST_BYTES:
        raise ValueError(
            f"Its weights take {n_bytes / 1e9:.1f} GB, and one file of ONNX holds 2: export it with "
            "`format=torch-export`."
        )
    import onnx
    import torch

    program = capture(exportable)
    with quietly():
        try:
            exported = torch.onnx.export(
                program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], optimize=True, verbose=False
            )
        except Exception as error:
            raise ValueError(f"This run has no form in ONNX ({in_short(error)}).") from None
        assert exported is not None
        model = exported.model_proto
    tidy(model)
    onnx.save_model(model, str(path))


def tidy(model: Any) -> None:
    """Name the free axes, and take out what exporters note for their developers."""
    for place in model.graph.input:
        for axis, name in zip(place.type.tensor_type.shape.dim, AXES, strict=True):
            axis.dim_param = name
    for place in model.graph.output:
        place.type.tensor_type.shape.dim[0].dim_param = AXES[0]
    del model.graph.value_info[:]
    for node in _nodes(model):
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.metadata_props[:]


def open_file(path: Path, threads: int = 0) -> Run:
    """Load a file into onnxruntime, on the CPU, with all of its optimisations; 0 threads = one for each core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(waveforms: np.ndarray) -> np.ndarray:
        return np.asarray(session.run([OUTPUT], {INPUT: waveforms})[0])

    return run


def _nodes(model: Any) -> Iterator[Any]:
    yield from model.graph.node
    for function in model.functions:
        yield from function.node


ONNX = Format(
    suffix=".onnx",
    packages=("onnx", "onnxscript", "onnxruntime"),
    write=write,
    open=open_file,
    example=(
        "import onnxruntime\n"
        "session = onnxruntime.InferenceSession(path)\n"
        f'run = lambda waveforms: session.run(None, {{"{INPUT}": waveforms}})[0]'
    ),
    needs="onnxruntime",
)
