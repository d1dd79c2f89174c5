"""Pretrained weights from the network, for `mobileyolo fetch` only."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import IMAGENET, WEIGHTS_DIR
from mobileyolo.models.weights import save

TIMM_MODELS = "mobilenetv1*"
DETECTORS = tuple(f"yolo11{scale}.pt" for scale in "nsmlx")
CLASSIFIERS = tuple(f"yolo11{scale}-cls.pt" for scale in "nsmlx")


def download(name: str, folder: Path = WEIGHTS_DIR) -> Path:
    """Download weights into a file that params.yaml can name; a file that exists is kept.

    Args:
        name: of a MobileNetV1 of timm, or of a YOLO11 checkpoint of Ultralytics.
        folder: for detectors; ImageNet weights go into a folder in it, which params.yaml can name as a whole.

    Raises:
        WeightsError: no weights have that name, or the download failed.
    """
    if name in (*DETECTORS, *CLASSIFIERS):
        download_to = _from_ultralytics
    elif name in (known := _timm_names()):
        download_to = _from_timm
    else:
        raise WeightsError(f"{name!r}: unknown weights; choose one of {', '.join([*DETECTORS, *CLASSIFIERS, *known])}")
    target = folder / name if name in DETECTORS else folder / IMAGENET / name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as temporary:
            part = Path(temporary, name)
            try:
                download_to(name, part)
            except Exception as error:  # both libraries let any error of their network code through
                raise WeightsError(f"{name}: the download failed: {error}") from error
            if not part.is_file():
                raise WeightsError(f"{name}: the download failed")
            part.replace(target)
    return target


def _from_ultralytics(name: str, target: Path) -> None:
    from ultralytics.utils.downloads import attempt_download_asset

    attempt_download_asset(target)


def _from_timm(name: str, target: Path) -> None:
    import timm

    save(timm.create_model(name, pretrained=True).state_dict(), target)


def _timm_names() -> list[str]:
    import timm

    return sorted({*timm.list_models(TIMM_MODELS), *timm.list_pretrained(TIMM_MODELS)})
