"""Is MobileNetV1 a better backbone than the stock one for YOLO11, on your data?

Importing this package makes Ultralytics accept model YAMLs with MobileNetV1 rows. The import itself loads neither
Ultralytics nor torch. The rows are added when Ultralytics' parser is imported, or now if it already was. What
Ultralytics asks the network for is left as it is; `mobileyolo.offline()` stops it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from wrapt import register_post_import_hook

if TYPE_CHECKING:
    from mobileyolo.models.dropin import offline as offline
    from mobileyolo.models.mobilenet_v1 import MobileNetV1 as MobileNetV1
    from mobileyolo.version import __version__ as __version__

__all__ = ["MobileNetV1", "__version__", "offline"]

_PUBLIC = {
    "MobileNetV1": "mobileyolo.models.mobilenet_v1",
    "offline": "mobileyolo.models.dropin",
    "__version__": "mobileyolo.version",
}


def __getattr__(name: str) -> object:
    """Import a public name at its first use: the network brings torch and Ultralytics."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


register_post_import_hook("mobileyolo.models.dropin:register", "ultralytics.nn.tasks")
