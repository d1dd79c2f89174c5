"""What `import mobileyolo` adds to an unmodified Ultralytics (8.4): model YAMLs can have MobileNetV1 rows.

`mobileyolo/__init__.py` arranges that `register` is called when Ultralytics' parser is imported. Nothing else in
Ultralytics changes unless `offline` is called, and only the original function parses a model without such a row. A
checkpoint of a model with such a row can be loaded, and can predict, without this package. Training it further without
this package fails with Ultralytics' `KeyError: 'MobileNetV1_n'`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from wrapt import register_post_import_hook

from mobileyolo.core import environment
from mobileyolo.core.errors import ArchitectureError
from mobileyolo.models.architecture import ModelDict
from mobileyolo.models.compact import describe, expand

if TYPE_CHECKING:
    from torch import nn

# Ultralytics is not imported here: that would call `register` while this module is still being imported.

Parser = Callable[..., "tuple[nn.Sequential, list[int]]"]


def register(tasks: ModuleType) -> None:
    """Add the rows to Ultralytics' parser; further calls do nothing.

    Args:
        tasks: the module ultralytics.nn.tasks.
    """
    if hasattr(tasks.parse_model, "knows_mobilenet"):
        return
    from ultralytics.utils.callbacks.base import default_callbacks

    # Its callers look the function up in its module's globals, so replacing it there is enough.
    vars(tasks)["parse_model"] = _with_mobilenet(tasks)
    default_callbacks["on_pretrain_routine_start"].append(known_to_workers)


def offline() -> None:
    """Keep Ultralytics off the network; processes that it starts inherit what environment variables can do for that.

    It then looks for no network, update or font, sends no usage events, and installs and downloads nothing; its weights
    or a dataset that are not there are a ConnectionError. It does not matter whether Ultralytics was imported before.
    A `TorchVision` row is torchvision's business, which downloads weights unless the row says that it wants none.
    MLflow's telemetry and Hugging Face's downloads are switched off as well if neither was imported before.
    """
    environment.go_offline()
    register_post_import_hook(_cut_off, "ultralytics.nn.tasks")  # now, if it already was


def _cut_off(_tasks: ModuleType) -> None:
    """Change what Ultralytics (8.4) has kept of the variables, and what asks the network without looking at them."""
    from ultralytics.utils import SETTINGS, downloads
    from ultralytics.utils.events import events

    if vars(downloads).get("is_cut_off"):
        return
    known_url = downloads.is_url

    def is_url(url: object, check: bool = False) -> bool:
        return not check and bool(known_url(url))

    def safe_download(url: object, *_args: object, **_kwargs: object) -> NoReturn:
        raise ConnectionError(f"{url}: not downloaded, because of mobileyolo.offline()")

    dict.update(SETTINGS, {"sync": False, "api_key": ""})  # in memory only
    events.enabled = False
    changed = {
        "ONLINE": False,
        "AUTOINSTALL": False,
        "is_url": is_url,
        "safe_download": safe_download,
        "get_github_assets": lambda *_args, **_kwargs: ("", []),
    }
    for name, module in list(sys.modules.items()):  # its modules import these by name from each other
        if name.partition(".")[0] == "ultralytics":
            vars(module).update({each: value for each, value in changed.items() if each in vars(module)})
    vars(downloads)["is_cut_off"] = True


def known_to_workers(_trainer: object) -> None:
    """Do nothing; but the processes of a training on several GPUs import this module because of this callback.

    Ultralytics starts each of them with a script of its own, which reads the model YAML again. The script also
    unpickles the trainer's callbacks, which imports this module and so adds the rows.
    """


def _with_mobilenet(tasks: ModuleType) -> Parser:
    original: Parser = tasks.parse_model

    def parse_model(d: ModelDict, ch: int, verbose: bool = True) -> tuple[nn.Sequential, list[int]]:
        """Parse a YOLO model.yaml dictionary, with MobileNetV1 rows or without."""
        # Imported here: if the network's module is imported first, it is not complete yet when `register` is called.
        from mobileyolo.models.mobilenet_v1 import MobileNetV1

        vars(tasks)["MobileNetV1"] = MobileNetV1  # the original looks up a row's module here
        layers, save = original(expand(d), ch, verbose)
        for index, layer in enumerate(layers):
            if isinstance(layer, MobileNetV1):
                layers[index] = layer.as_stock_module()
                _try(d, layers, ch)
        return layers, save

    vars(parse_model)["knows_mobilenet"] = True
    return parse_model


def _try(architecture: ModelDict, layers: nn.Sequential, channels: int) -> None:
    """Run a small black image through the model, so that an error names the row whose inputs do not fit together."""
    import torch
    from ultralytics.nn.modules import Detect

    outputs: list[Any] = []
    rows_before = len(layers) - len(architecture["backbone"]) - len(architecture["head"])  # layers beyond the rows
    with torch.no_grad():
        for index, layer in enumerate(layers.eval()):
            if isinstance(layer, Detect):  # accepts maps of any size, and its strides are not known yet
                continue
            source: Any = layer.f
            if index == 0:
                inputs: Any = torch.zeros(1, channels, 64, 64)
            else:
                inputs = [outputs[each] for each in source] if isinstance(source, list) else outputs[source]
            try:
                outputs.append(layer(inputs))
            except (RuntimeError, TypeError, IndexError, AttributeError) as error:
                row = describe(architecture, max(0, index - rows_before))
                raise ArchitectureError(f"{row}: {error}") from error
    layers.train()
