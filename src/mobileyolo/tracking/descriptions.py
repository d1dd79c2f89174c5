"""What MLflow's pages say of an experiment, a run and a model, in Markdown, and a run's colour in charts (pure)."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterable, Iterator, Sequence

from mobileyolo.core.backbones import MobileNet, spec_of
from mobileyolo.core.records import DatasetCard
from mobileyolo.core.text import printable
from mobileyolo.tracking.pages import comparison_page
from mobileyolo.verdict import sentences
from mobileyolo.verdict.records import Comparison

_COSTS = {"parameters": "parameters", "gflops": "GFLOPs", "latency_ms": "latency", "latency_onnx_ms": "latency, ONNX"}
_METRICS = {"map50_95": "mAP50-95", "map50": "mAP50", "map75": "mAP75"}
_STOCK_HUES = {"n": 0.0, "s": 0.025, "m": 0.05, "l": 0.075, "x": 0.1}  # red to orange


def colour_of(backbone: str) -> str:
    """The colour of a backbone's runs as #rrggbb: stock ones are red to orange, MobileNetV1 green to violet by width.

    >>> [colour_of(backbone) for backbone in ("yolo11n", "mnv1_n", "mnv1_s", "mnv1_m")]
    ['#aa1818', '#18aa1e', '#18aaaa', '#181eaa']
    """
    spec = spec_of(backbone)
    # The same step of hue for each doubling of the width.
    hue = 0.66 + 0.16 * math.log2(spec.width) if isinstance(spec, MobileNet) else _STOCK_HUES[spec.scale]
    parts = colorsys.hls_to_rgb(hue % 1, 0.38, 0.75)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def of_experiment(dataset: str, card: DatasetCard, experiment: str) -> str:
    """The description of a dataset's experiment, with links in the first line, which is all that MLflow shows at first.

    Args:
        dataset: name of its folder.
        card: what validation found the dataset to be.
        experiment: its id.
    """
    counts = [(split, f"{count.images:,}", f"{count.boxes:,}") for split, count in card.splits.items()]
    name = printable(dataset).replace("`", "'")
    return _paragraphs(
        f"Models of the dataset `{name}`, compared [in a table]({comparison_page(experiment)}) "
        f"and [in charts]({comparison_page(experiment, charts=True)}).",
        f"{len(card.names)} classes, digest `{card.digest[:8]}`:",
        _table(("split", "images", "boxes"), counts),
        "A run is one trained model: its tag `arm` says whether it is a baseline, a candidate or a teacher, its colour "
        "is its backbone's. `mobileyolo leaderboard` prints all of them in tables of what can be compared, the best "
        "first.",
    )


def of_comparison(comparison: Comparison, page: str) -> str:
    """The description of a run that was compared.

    Args:
        comparison: the outcome.
        page: address of the run's page, on which the report lies among the artifacts.
    """
    ends = f"{100 * comparison.confidence:.4g}% interval"
    header = ("", comparison.baseline.backbone, comparison.candidate.backbone, "difference", ends)
    return _paragraphs(
        f"**{sentences.headline(comparison)}** Verdict: {comparison.verdict}.",
        _table(header, _rows(comparison)),
        comparison.reason,
        sentences.settling(comparison),
        f"[The whole report is among the artifacts]({page}/artifacts), in `{report_folder(comparison)}/index.html`.",
    )


def of_model(model: str) -> str:
    """The description of a logged model: how to load it, and where to read what it takes.

    Args:
        model: its id.
    """
    return _paragraphs(
        "Finds objects in images, with MLflow and Ultralytics alone. `MLmodel` among the artifacts has its signature.",
        f'```python\nmodel = mlflow.pyfunc.load_model("models:/{model}")\nboxes = model.predict(["image.jpg"])\n```',
    )


def report_folder(comparison: Comparison) -> str:
    """Where a comparison's report lies among the artifacts of a run."""
    return f"report/{comparison.candidate.backbone}-vs-{comparison.baseline.backbone}"


def _rows(comparison: Comparison) -> Iterator[Sequence[str]]:
    for name, title in _METRICS.items():
        metric = comparison.metrics[name]
        interval = f"{metric.low:+.3f} to {metric.high:+.3f}"
        yield title, f"{metric.baseline:.3f}", f"{metric.candidate:.3f}", f"{metric.delta:+.3f}", interval
    for name, title in _COSTS.items():
        if cost := comparison.costs.get(name):
            interval = "" if cost.low is None or cost.high is None else f"{cost.low:.2f} to {cost.high:.2f}"
            yield title, _amount(name, cost.baseline), _amount(name, cost.candidate), f"x {cost.ratio:.2f}", interval


def _amount(name: str, value: float) -> str:
    if name == "parameters":
        return f"{value / 1e6:.2f} M"
    return f"{value:.2f} ms" if name.endswith("_ms") else f"{value:.2f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)
