"""An ONNX file -> its int8 twin, by ONNX Runtime's quantiser. The only importer of onnxruntime.quantization (1.32)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mobileyolo.deployment.engines import Array
from mobileyolo.deployment.inputs import CalibrationImages

# What has weights. The rest, in particular the head's decoding, stays in float: one scale for the output, which holds
# both pixels and confidences, would round every confidence to 0.
_QUANTISED = {"Conv", "Gemm", "MatMul"}
_DECODING = "/dfl/"  # the head's convolution that only takes a mean, of distances up to 15 strides


def quantise(exported: Path, images: CalibrationImages, quantised: Path) -> None:
    """Quantise weights (by channel) and activations to 8 bits, with the ranges that the activations have on images.

    Args:
        exported: the file in single precision.
        images: to calibrate with.
        quantised: the new file.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Gives the quantiser one image after another."""

        def __init__(self) -> None:
            self._images = iter(images)

        def get_next(self) -> dict[str, Array] | None:
            image = next(self._images, None)
            return None if image is None else {source: image}

    with tempfile.TemporaryDirectory(dir=quantised.parent) as temporary:
        prepared = Path(temporary, "prepared.onnx")
        quant_pre_process(exported, prepared, skip_symbolic_shape=True)  # the shapes are fixed
        graph = onnx.load_model(prepared).graph
        source = graph.input[0].name
        quantize_static(
            prepared,
            quantised,
            Reader(),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[
                node.name for node in graph.node if node.op_type not in _QUANTISED or _DECODING in node.name
            ],
        )
