"""Weights of eight bits: the matrix products of an ONNX file as products of whole numbers.

The weights of a product are rounded once, each column with a scale of its own; what they are multiplied with is rounded
while the file runs, each array with a scale for the whole of it ("dynamic" quantisation, B. Jacob et al., CVPR 2018).
So a score depends a little on the clips that share its batch. Convolutions stay in float32: they lose more, and
onnxruntime has no product of whole numbers for them that is faster. So do front ends and kernel machines, which are
written as convolutions and as products whose weights stand on the left.
"""

import logging
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from src.deploy.exporting.formats import quietly
from src.deploy.exporting.onnx_file import tidy

PRODUCT = "MatMulInteger"


def to_int8(path: Path) -> int:
    """Round the weights of an ONNX file; return how many products are of whole numbers now.

    Raises
    ------
    ValueError
        When it has no product of weights: eight bits would change nothing.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    root = logging.getLogger()
    level = root.level
    with TemporaryDirectory(dir=path.parent) as folder, quietly():
        folded, rounded = Path(folder) / "folded.onnx", Path(folder) / "rounded.onnx"
        try:
            root.setLevel(logging.ERROR)
            quant_pre_process(str(path), str(folded), skip_symbolic_shape=True)
            quantize_dynamic(
                str(folded),
                str(rounded),
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                weight_type=QuantType.QInt8,
                extra_options={"MatMulConstBOnly": True},
            )
        finally:
            root.setLevel(level)
        model = onnx.load(str(rounded))
    n_products = Counter(node.op_type for node in model.graph.node)[PRODUCT]
    if not n_products:
        raise ValueError(
            "This run has no matrix product of weights that eight bits would make smaller or faster: export it with "
            "`precision=fp32`."
        )
    tidy(model)
    onnx.save_model(model, str(path))
    return n_products
