"""An OpenVINO model -> its int8 twin, by NNCF. The only importer of nncf (3.4)."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import shutil
from pathlib import Path

from mobileyolo.deployment.inputs import CalibrationImages


def quantise(exported: Path, images: CalibrationImages, quantised: Path) -> None:
    """Quantise weights and activations to 8 bits, with the ranges that the activations have on images.

    Args:
        exported: the folder of the model in single precision.
        images: to calibrate with.
        quantised: the new folder.
    """
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    model = openvino.Core().read_model(exported / "best.xml")
    # The head's own operations decode boxes, those of its branches are below it: __module.model.23.cv2.0 and so on.
    last = model.outputs[0].get_node().input_value(0).get_node().get_friendly_name()
    head = re.escape(last.partition("/")[0])
    with contextlib.redirect_stdout(io.StringIO()):  # it draws progress bars there
        smaller = nncf.quantize(
            model,
            nncf.Dataset(images),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(patterns=[rf"{head}/.*", rf"{head}\.dfl.*"]),
        )
    quantised.mkdir()
    openvino.save_model(smaller, quantised / "best.xml", compress_to_fp16=False)
    shutil.copyfile(exported / "metadata.yaml", quantised / "metadata.yaml")
