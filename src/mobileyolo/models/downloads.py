"""Weights from the network, only when somebody asks for them by name: mobileyolo fetch."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import WEIGHTS_DIR
from mobileyolo.models.weights import save

TIMM_MODELS = "mobilenetv1*"
DETECTORS = tuple(f"yolo11{scale}.pt" for scale in "nsmlx")


def download(name: str, folder: Path = WEIGHTS_DIR) -> Path:
    """Download weights under the name that params.yaml then has for them; what lies there already stays.

    Args:
        name: a MobileNetV1 of timm's, or a YOLO11 checkpoint of Ultralytics'.
        folder: where to put them.

    Raises:
        WeightsError: nobody has weights of that name, or they can't be reached.
    """
    target = folder / name
    if name in DETECTORS:
        download_to = _from_ultralytics
    elif name in (known := _timm_names()):
        download_to = _from_timm
    else:
        raise WeightsError(f"{name!r}: unknown weights; choose one of {', '.join([*DETECTORS, *known])}")
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            part = Path(temporary, name)
            try:
                download_to(name, part)
            except Exception as error:  # either library raises whatever its transport raises
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
