"""The cost sheet as sentences and tables, for the page and for a terminal."""

from __future__ import annotations

import math

from mobileyolo.core.backbones import ARMS, Arm
from mobileyolo.core.cost_sheet import CostSheet, ModelCost, Parts, Saving
from mobileyolo.reporting.shared.cells import Table, console
from mobileyolo.reporting.shared.languages import ENGLISH, Translate
from mobileyolo.verdict.records import Comparison

REFERENCE = "yolo11n"  # the stock model that a MobileNetV1 is to match
FULL_WIDTH = 1.0  # width multiplier of the network whose layers are listed


def label(model: ModelCost) -> str:
    """What to call a model: its name, and the width of a MobileNetV1."""
    return model.name if model.width is None else f"{model.name} (α {model.width:g})"


def arms_by_label(sheet: CostSheet, comparison: Comparison) -> dict[str, list[Arm]]:
    """Which arms of a comparison a model on the sheet is, by its label."""
    backbones = (comparison.baseline.backbone, comparison.candidate.backbone)
    return {
        label(model): [arm for arm, backbone in zip(ARMS, backbones, strict=True) if backbone == model.name]
        for model in sheet.models
    }


def matching_sentence(sheet: CostSheet, _: Translate = ENGLISH) -> str:
    """Which MobileNetV1 costs about as much as the stock YOLO11n, and how the others compare."""
    reference = next(model for model in sheet.models if model.name == REFERENCE)
    mobile = [model for model in sheet.models if model.width is not None]
    match = min(mobile, key=lambda model: abs(math.log(model.gflops / reference.gflops)))
    ratios = {
        label(model): (
            f"{model.gflops / reference.gflops:.2f}",
            f"{model.parameters.total / reference.parameters.total:.2f}",
        )
        for model in mobile
    }
    gflops, parameters = ratios.pop(label(match))
    others = _(", ").join(name + " " + _(" and ").join(numbers) for name, numbers in ratios.items())
    return _(
        "{match} is the MobileNetV1 whose cost is closest to {reference}: {gflops} times its GFLOPs and {parameters} "
        "times its parameters. The others: {others}."
    ).format(match=label(match), reference=REFERENCE, gflops=gflops, parameters=parameters, others=others)


def parts_table(sheet: CostSheet, _: Translate = ENGLISH) -> Table:
    """Parameters and GFLOPs of every model, and the shares of its parts."""
    rows = [
        (
            label(model),
            _millions(model.parameters.total),
            _shares(model.parameters),
            _giga(model.flops[0].total),
            _shares(model.flops[0]),
        )
        for model in sheet.models
    ]
    shares = _("backbone / neck / head")
    return Table((_("model"), _("parameters"), shares, "GFLOPs", shares), "lrrrr", tuple(rows))


def resolution_table(sheet: CostSheet, _: Translate = ENGLISH) -> Table:
    """GFLOPs of every model at every resolution."""
    sides = [f"{side} px (β {side / sheet.imgsz[0]:.2f})" for side in sheet.imgsz]
    rows = [(label(model), *(_giga(parts.total) for parts in model.flops)) for model in sheet.models]
    return Table((_("GFLOPs at"), *sides), "l" + "r" * len(sides), tuple(rows))


def saving_table(sheet: CostSheet, _: Translate = ENGLISH) -> Table:
    """Each depthwise separable layer of the full-width network against a standard convolution; each network at the end.

    Multiply-adds are in millions; the ratios are measured, and by the paper's formula.
    """
    rows = []
    for layer in next(saving for saving in sheet.savings if saving.width == FULL_WIDTH).layers:
        convolution = (
            _("{inputs} → {outputs}, stride {stride}")
            if layer.repeats == 1
            else _("{inputs} → {outputs}, stride {stride}, {repeats} times")
        )
        separable, standard = layer.formula
        rows.append(
            (
                convolution.format(
                    inputs=layer.inputs, outputs=layer.outputs, stride=layer.stride, repeats=layer.repeats
                ),
                *(f"{count / 1e6:.1f}" for count in (layer.standard, layer.separable)),
                f"{layer.separable / layer.standard:.4f}",
                f"{separable / standard:.4f}",
            )
        )
    rows += [_network_row(saving, _) for saving in sheet.savings]
    return Table((_("layer at α 1"), _("standard"), _("separable"), _("measured"), _("formula")), "lrrrr", tuple(rows))


def _network_row(saving: Saving, _: Translate) -> tuple[str, ...]:
    counts = (f"{count / 1e6:.1f}" for count in (saving.standard, saving.separable))
    return (
        _("whole network, α {width}").format(width=f"{saving.width:g}"),
        *counts,
        f"{saving.measured:.4f}",
        f"{saving.formula:.4f}",
    )


def console_sheet(sheet: CostSheet) -> str:
    """The sheet for a terminal."""
    side = sheet.imgsz[0]
    return "\n\n".join(
        (
            f"Fused models at {side} x {side} px, {sheet.classes} classes; beside each total the shares of its parts.\n"
            "All have the neck and head of YOLO11n.",
            console(parts_table(sheet)),
            console(resolution_table(sheet)),
            f"Depthwise separable layers of MobileNetV1 against standard convolutions at {side} px: millions of\n"
            "multiply-adds of one layer, their ratio as measured, and by the paper's formula 1/N + 1/9.",
            console(saving_table(sheet)),
            matching_sentence(sheet),
        )
    )


def _shares(parts: Parts) -> str:
    return f"{' / '.join(f'{100 * share:2.0f}' for share in parts.shares)} %"


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.2f} M"


def _giga(flops: int) -> str:
    return f"{flops / 1e9:.2f}"
