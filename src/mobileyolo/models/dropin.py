"""What `import mobileyolo` adds to an unmodified Ultralytics (8.4): model YAMLs can have MobileNetV1 rows.

`mobileyolo/__init__.py` arranges that `register` is called when Ultralytics' parser is imported. Unless `offline` is
called, nothing else changes in Ultralytics, but that processes which it starts import this package as well. Only the
original function parses a model without such a row. A checkpoint of a model with such a row can be loaded, and can
predict, without this package. Training it further without this package fails with Ultralytics'
`KeyError: 'MobileNetV1_n'`.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from wrapt import register_post_import_hook, wrap_function_wrapper

from mobileyolo.core import environment
from mobileyolo.core.errors import ArchitectureError
from mobileyolo.models.architecture import ModelDict
from mobileyolo.models.compact import describe, expand, has_mobilenet

if TYPE_CHECKING:
    from torch import nn

# Ultralytics is not imported here: that would call `register` while this module is still being imported.

Parser = Callable[..., "tuple[nn.Sequential, list[int]]"]

# What Ultralytics starts in place of `python -m ultralytics.cfg.__init__`: the `yolo` command with the rows.
_COMMAND = "import mobileyolo; from ultralytics.cfg import entrypoint; entrypoint()"


def register(tasks: ModuleType) -> None:
    """Add the rows to Ultralytics' parser; further calls do nothing.

    Args:
        tasks: the module ultralytics.nn.tasks.
    """
    if hasattr(tasks.parse_model, "knows_mobilenet"):
        return
    from ultralytics.cfg import _YOLO_CLI_COMMAND
    from ultralytics.utils.callbacks.base import default_callbacks

    # Its callers look the function up in its module's globals, so replacing it there is enough.
    vars(tasks)["parse_model"] = _with_mobilenet(tasks)
    wrap_function_wrapper(tasks, "DetectionModel.__init__", _naming_the_row)
    default_callbacks["on_pretrain_routine_start"].append(known_to_workers)
    # The trainings of `model.tune()`, and those on a list of datasets, run in processes of this command.
    _YOLO_CLI_COMMAND[1:] = ["-c", _COMMAND]


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
        return layers, save

    vars(parse_model)["knows_mobilenet"] = True
    return parse_model


def _naming_the_row(build: Callable[..., None], model: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Build a model as Ultralytics does, which runs an image through it; an error in a layer names the layer's row."""
    try:
        build(*args, **named)
    except Exception as error:
        row = _failing_row(error, model)
        if row is None:
            raise
        raise ArchitectureError(f"{row}: {error}") from error


def _failing_row(error: Exception, model: nn.Module) -> str | None:
    """The row of the layer in whose call an error was raised; None if there is none, or no MobileNetV1 in the model."""
    architecture: ModelDict = vars(model).get("yaml", {})
    if not has_mobilenet(architecture):
        return None
    layers = list(getattr(model, "model", ()))  # none if a row could not be parsed
    rows_before = len(layers) - len(architecture["backbone"]) - len(architecture["head"])  # layers beyond the rows
    for frame, _ in traceback.walk_tb(error.__traceback__):
        running = frame.f_locals.get("self")
        for index, layer in enumerate(layers):
            if layer is running:
                return describe(architecture, max(0, index - rows_before))
    return None
