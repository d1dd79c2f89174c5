"""Pretrained weights from the network, for `mobileyolo fetch` only."""

from __future__ import annotations

import tempfile
import urllib.request
from pathlib import Path
from urllib.response import addinfourl

from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import IMAGENET, WEIGHTS_DIR
from mobileyolo.models.imagenet import convert
from mobileyolo.models.keras import LIMIT_MB, read_keras
from mobileyolo.models.mobilenet_v1 import MobileNetV1
from mobileyolo.models.weights import save

TIMM_MODELS = "mobilenetv1*"
DETECTORS = tuple(f"yolo11{scale}.pt" for scale in "nsmlx")
CLASSIFIERS = tuple(f"yolo11{scale}-cls.pt" for scale in "nsmlx")
# BASE_WEIGHT_PATH of keras/src/applications/mobilenet.py, and the names that it puts together. It gives no digests.
KERAS_ADDRESS = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/"
KERAS_WIDTHS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
KERAS_FILES = {
    f"mobilenet_v1_{width}_{side}": (f"mobilenet_{text}_{side}_tf_no_top.h5", width)
    for width, text in KERAS_WIDTHS.items()
    for side in (128, 160, 192, 224)  # pixels of the images that it was trained on
}
TIMEOUT = 60  # seconds without an answer


def download(name: str, folder: Path = WEIGHTS_DIR) -> Path:
    """Download weights into a file that params.yaml can name; a file that exists is kept.

    Args:
        name: of a MobileNetV1 of Keras or timm, or of a detector or classifier of Ultralytics.
        folder: for detectors; ImageNet weights go into a folder in it, which params.yaml can name as a whole.

    Raises:
        WeightsError: no weights have that name, or the download failed or is something else.
        ModuleNotFoundError: the extra `imagenet` is not installed, and the name is of a MobileNetV1 or unknown.
    """
    if name in (*DETECTORS, *CLASSIFIERS):
        download_to = _from_ultralytics
    elif name in KERAS_FILES:
        download_to = _from_keras
    elif name in (known := _timm_names()):
        download_to = _from_timm
    else:
        choices = [*DETECTORS, *CLASSIFIERS, *KERAS_FILES, *known]
        raise WeightsError(f"{name!r}: unknown weights; choose one of {', '.join(choices)}")
    target = folder / name if name in DETECTORS else folder / IMAGENET / name
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            part = Path(temporary, name)
            try:
                download_to(name, part)
            except ModuleNotFoundError:  # an extra of this package is not installed
                raise
            except Exception as error:  # the libraries let any error of their network code through
                raise WeightsError(f"{name}: the download failed: {error}") from error
            if not part.is_file():
                raise WeightsError(f"{name}: the download failed")
            target.parent.mkdir(exist_ok=True)
            part.replace(target)
    return target


def _from_ultralytics(name: str, target: Path) -> None:
    from ultralytics.utils.downloads import attempt_download_asset

    attempt_download_asset(target)


def _from_keras(name: str, target: Path) -> None:
    file, width = KERAS_FILES[name]
    with _open(KERAS_ADDRESS + file) as answer:
        target.write_bytes(answer.read(int(LIMIT_MB * 1e6)))
    convert(read_keras(target), MobileNetV1(width))  # is it what its name says?


def _open(url: str) -> addinfourl:
    """The answer to a request over https; wherever it is redirected to, nothing is asked without encryption."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    answer: addinfourl = opener.open(url, timeout=TIMEOUT)
    return answer


def _from_timm(name: str, target: Path) -> None:
    import timm

    save(timm.create_model(name, pretrained=True).state_dict(), target)


def _timm_names() -> list[str]:
    import timm

    return sorted({*timm.list_models(TIMM_MODELS), *timm.list_pretrained(TIMM_MODELS)})
