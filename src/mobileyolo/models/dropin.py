"""What `import mobileyolo` adds to an unforked Ultralytics (8.4): model YAMLs may have MobileNetV1 rows.

`mobileyolo/__init__.py` has `register` called as soon as something imports Ultralytics' parser. Nothing else about
Ultralytics changes; a model without such a row is parsed by the original function alone. Training one on without this
package ends in Ultralytics' `KeyError: 'MobileNetV1_n'`; loading and predicting need no package.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mobileyolo.core.errors import ArchitectureError
from mobileyolo.models.architecture import ModelDict
from mobileyolo.models.compact import describe, expand

if TYPE_CHECKING:
    from torch import nn

# No import of Ultralytics up here: it would call `register` while this module is still being read.

Parser = Callable[..., "tuple[nn.Sequential, list[int]]"]


def register(tasks: ModuleType) -> None:
    """Teach Ultralytics' parser the rows; once is enough.

    Args:
        tasks: the module ultralytics.nn.tasks.
    """
    if hasattr(tasks.parse_model, "knows_mobilenet"):
        return
    from ultralytics.utils.callbacks.base import default_callbacks

    # Callers look the function up in the globals of its module.
    vars(tasks)["parse_model"] = _with_mobilenet(tasks)
    default_callbacks["on_pretrain_routine_start"].append(known_to_workers)


def known_to_workers(_trainer: object) -> None:
    """Nothing; but Ultralytics hands a trainer's callbacks to the processes of a training on several GPUs.

    Such a process starts from a script of Ultralytics' own and reads the model YAML again. It has to import this module
    to read its callbacks, and so has the rows.
    """


def _with_mobilenet(tasks: ModuleType) -> Parser:
    original: Parser = tasks.parse_model

    def parse_model(d: ModelDict, ch: int, verbose: bool = True) -> tuple[nn.Sequential, list[int]]:
        """Parse a YOLO model.yaml dictionary, with MobileNetV1 rows or without."""
        # Only now: whoever imports the network first is still importing it while this module registers.
        from mobileyolo.models.mobilenet_v1 import MobileNetV1

        vars(tasks)["MobileNetV1"] = MobileNetV1  # where the original looks a row's module up
        layers, save = original(expand(d), ch, verbose)
        for index, layer in enumerate(layers):
            if isinstance(layer, MobileNetV1):
                layers[index] = layer.as_stock_module()
                _try(d, layers, ch)
        return layers, save

    vars(parse_model)["knows_mobilenet"] = True
    return parse_model


def _try(architecture: ModelDict, layers: nn.Sequential, channels: int) -> None:
    """Send a small black image through, so that maps that don't fit together are blamed on the row that joins them."""
    import torch
    from ultralytics.nn.modules import Detect

    outputs: list[Any] = []
    rows_before = len(layers) - len(architecture["backbone"]) - len(architecture["head"])  # layers without a row
    with torch.no_grad():
        for index, layer in enumerate(layers.eval()):
            if isinstance(layer, Detect):  # takes maps of any size, and needs strides that are not known yet
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
