"""Is MobileNetV1 a better backbone than the stock one for YOLO11, on your data?

Importing this package lets Ultralytics build model YAMLs with MobileNetV1 rows. It imports neither Ultralytics nor
torch by itself: the parser learns the rows once something else imports it, or now if that has happened.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from wrapt import register_post_import_hook

if TYPE_CHECKING:
    from mobileyolo.models.mobilenet_v1 import MobileNetV1 as MobileNetV1

__version__ = "0.2.0"
__all__ = ["MobileNetV1", "__version__"]


def __getattr__(name: str) -> object:
    """The network, imported with torch and Ultralytics only once somebody asks for it."""
    if name == "MobileNetV1":
        return import_module("mobileyolo.models.mobilenet_v1").MobileNetV1
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


register_post_import_hook("mobileyolo.models.dropin:register", "ultralytics.nn.tasks")
