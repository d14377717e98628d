"""A run leaves the laboratory as one file that needs none of our code: from waveform to calibrated score.

A format is one file and one row of the table below, which imports nothing: the help of tasks reads it.
"""

FORMATS = {
    "onnx": "src.deploy.exporting.onnx_file:ONNX",
    "torchscript": "src.deploy.exporting.torchscript_file:TORCHSCRIPT",
    "torch-export": "src.deploy.exporting.torch_export_file:TORCH_EXPORT",
}
"""Name of a format -> "module:record"."""
PRECISIONS = ("fp32", "int8")
