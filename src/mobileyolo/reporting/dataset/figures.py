"""Figures of a dataset: its classes, boxes and images, by split. A million boxes take seconds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from mobileyolo.core.records import Split
from mobileyolo.reporting.shared.panels import COLOURS, Panel, short_label

Floats = NDArray[np.floating[Any]]

SPLIT_COLOURS: dict[Split, str] = {"train": "candidate", "val": "inconclusive", "test": "baseline"}
COCO_BOUNDS = (32, 96)  # pixels: square roots of the areas between small, medium and large in COCO's evaluation
BINS = 36
HEAT_CELLS = 28  # along each side
HEAT_LEVELS = 7
MOST_CLASSES = 30  # in a figure with their names
MOST_SIZES = 150  # distinct sizes of images that are drawn one by one
SIZE_CELLS = 28  # along each side, for what has more
DOT_LEVELS = 5  # sizes of dots
BOX_COUNT_QUANTILE = 0.99  # of images; those with more boxes are in the last bar

_LOG_PERCENTS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def class_shares(counts: Mapping[Split, NDArray[np.int64]], names: Sequence[str]) -> Panel:
    """How often each class is labelled in each split, the most frequent class first.

    Args:
        counts: Boxes by class id, for each split.
        names: By class id.
    """
    totals = sum(counts.values(), np.zeros(len(names), np.int64))
    order = np.argsort(-totals, kind="stable")
    few = len(order) <= MOST_CLASSES

    def draw_bars(axes: Axes) -> None:
        height = 0.8 / len(counts)
        for number, (split, each) in enumerate(counts.items()):
            shares = 100 * each[order] / max(each.sum(), 1)
            places = np.arange(len(order)) + (number - (len(counts) - 1) / 2) * height
            axes.barh(places, shares, 0.92 * height, color=COLOURS[SPLIT_COLOURS[split]])
        labels = [short_label(names[class_id]) for class_id in order]
        axes.set_yticks(range(len(order)), labels, color=COLOURS["ink"], parse_math=False)
        axes.set(ylim=(len(order) - 0.4, -0.6), xlabel="share of the split's boxes, %")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    def draw_ranks(axes: Axes) -> None:
        edges = np.arange(len(order) + 1) + 0.5
        for split, each in counts.items():
            axes.stairs(each[order], edges, baseline=None, color=COLOURS[SPLIT_COLOURS[split]], lw=1.5)
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set(xlim=(0.5, len(order) + 0.5), xlabel="class, the most frequent first", ylabel="boxes")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")

    most, least = order[0], order[-1]
    return Panel(
        "classes",
        f"Boxes by class and split: most of {names[most]} ({totals[most]:,}), fewest of {names[least]} "
        f"({totals[least]:,})",
        draw_bars if few else draw_ranks,
        (4.4, 0.75 + len(order) * (0.16 + 0.1 * len(counts))) if few else (4.4, 3.0),
    )


def box_panels(boxes: pd.DataFrame) -> list[Panel]:
    """Size, shape and place of the boxes.

    Args:
        boxes: at least one row, with split, x, y, w, h (xywhn), width, height (pixels, of the image).
    """
    boxes = boxes[(boxes["w"] > 0) & (boxes["h"] > 0)]
    wide, high = boxes["w"] * boxes["width"], boxes["h"] * boxes["height"]
    return [
        _pixel_sizes(_by_split(boxes, (wide * high) ** 0.5)),
        _relative_sizes(_by_split(boxes, (boxes["w"] * boxes["h"]) ** 0.5)),
        _aspect_ratios(_by_split(boxes, wide / high)),
        _heat_map(boxes),
    ]


def boxes_an_image(images: pd.DataFrame) -> Panel:
    """How many boxes the images have.

    Args:
        images: with split and boxes, their number.
    """
    counts = _by_split(images, images["boxes"])
    most = int(np.ceil(images["boxes"].quantile(BOX_COUNT_QUANTILE)))
    step = max(1, -(-(most + 1) // BINS))
    edges = np.arange(0, most + step + 1, step) - 0.5

    def draw(axes: Axes) -> None:
        _stairs(axes, {split: np.minimum(each, edges[-1] - 0.1) for split, each in counts.items()}, edges)
        more = " (the last step: or more)" if images["boxes"].max() > edges[-1] else ""
        axes.set(title="boxes an image", xlabel=f"boxes{more}", ylabel="images, %")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))

    return Panel("boxes-an-image", f"Boxes an image, median: {_medians(counts, '{:.0f}')}", draw)


def image_sizes(images: pd.DataFrame) -> Panel:
    """Width and height of the images; the more images have a size, the larger its dot.

    Args:
        images: with width and height, pixels.
    """
    sizes = images[["width", "height"]]
    step = 1
    if len(sizes.drop_duplicates()) > MOST_SIZES:
        step = max(1, int(sizes.to_numpy().max()) // SIZE_CELLS)
    sizes = (sizes // step * step + step // 2) if step > 1 else sizes
    counts = sizes.value_counts().sort_index().reset_index(name="images")

    def draw(axes: Axes) -> None:
        levels = np.ceil(DOT_LEVELS * counts["images"] / counts["images"].max())
        for level in range(1, DOT_LEVELS + 1):  # dots of the same size are drawn once in the SVG and referred to
            dots, size = counts[levels == level], 3 + 8 * (level / DOT_LEVELS) ** 0.5
            axes.plot(dots["width"], dots["height"], "o", ms=size, color=COLOURS["candidate"], alpha=0.55, mew=0)
        limit = 1.12 * max(counts["width"].max(), counts["height"].max())
        axes.plot([0, limit], [0, limit], color=COLOURS["line"], lw=1, zorder=0)
        axes.set(title="image sizes", xlabel="width, pixels", ylabel="height, pixels", xlim=(0, limit), ylim=(0, limit))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.grid()

    wide, high = images["width"], images["height"]
    return Panel(
        "image-sizes", f"Image sizes: {wide.min()} to {wide.max()} pixels wide, {high.min()} to {high.max()} high", draw
    )


def _pixel_sizes(sizes: Mapping[Split, Floats]) -> Panel:
    everything = np.concatenate(list(sizes.values()))
    # Both marks are always visible, with room for their labels.
    low = np.log2(np.clip(everything.min(), 0.5, COCO_BOUNDS[0] / 2))
    high = np.log2(max(everything.max(), 2 * COCO_BOUNDS[1]))
    edges = np.linspace(np.floor(low), np.ceil(high), BINS + 1)
    shares = np.diff([0.0, *((everything < bound).mean() for bound in COCO_BOUNDS), 1.0])
    parts = [f"{name} {share:.0%}" for name, share in zip(("small", "medium", "large"), shares, strict=True)]

    def draw(axes: Axes) -> None:
        _stairs(axes, {split: np.log2(np.maximum(each, 0.5)) for split, each in sizes.items()}, edges)
        marks, above = [edges[0], *np.log2(COCO_BOUNDS), edges[-1]], axes.get_xaxis_transform()
        for mark in marks[1:-1]:
            axes.axvline(mark, color=COLOURS["muted"], lw=0.8, ls=(0, (3, 3)))
        for part, ends in zip(parts, itertools.pairwise(marks), strict=True):
            axes.text(np.mean(ends), 1.02, part, transform=above, ha="center", fontsize=7.5, color=COLOURS["muted"])
        ticks = np.arange(edges[0], edges[-1] + 1, 2 if edges[-1] - edges[0] > 7 else 1)
        axes.set_xticks(ticks, [f"{2**tick:g}" for tick in ticks])
        axes.set_title("box size", pad=16)
        axes.set(xlabel="√(width × height), pixels", ylabel="boxes, %")

    return Panel("box-pixels", f"Box sizes in pixels: {', '.join(parts)}; median: {_medians(sizes, '{:.0f}')}", draw)


def _relative_sizes(sizes: Mapping[Split, Floats]) -> Panel:
    smallest = 100 * min(each.min() for each in sizes.values())
    first = next((tick for tick in reversed(_LOG_PERCENTS[:-1]) if tick <= smallest), _LOG_PERCENTS[0])
    edges = np.linspace(np.log10(first), 2, BINS + 1)

    def draw(axes: Axes) -> None:
        values = {split: np.log10(np.clip(100 * each, first, 100)) for split, each in sizes.items()}
        _stairs(axes, values, edges)
        ticks = [tick for tick in _LOG_PERCENTS if tick >= first]
        axes.set_xticks(np.log10(ticks), [f"{tick:g}" for tick in ticks])
        axes.set(title="box size in its image", xlabel="√(share of the image's area), %", ylabel="boxes, %")

    medians = _medians({split: 100 * each for split, each in sizes.items()}, "{:.1f}%")
    return Panel("box-shares", f"Box sizes as a share of the image's side, median: {medians}", draw)


def _aspect_ratios(ratios: Mapping[Split, Floats]) -> Panel:
    widest = max(np.abs(np.log2(each)).max() for each in ratios.values())
    reach = int(np.clip(np.ceil(widest), 1, 4))
    edges = np.linspace(-reach, reach, BINS + 1)

    def draw(axes: Axes) -> None:
        _stairs(axes, {split: np.clip(np.log2(each), -reach, reach) for split, each in ratios.items()}, edges)
        ticks = range(-reach, reach + 1)
        axes.set_xticks(ticks, [f"{2**tick}:1" if tick >= 0 else f"1:{2**-tick}" for tick in ticks])
        axes.set(title="box shape", xlabel="width : height", ylabel="boxes, %")

    return Panel("box-shapes", f"Width over height of the boxes, median: {_medians(ratios, '{:.2f}')}", draw)


def _heat_map(boxes: pd.DataFrame) -> Panel:
    heat = coverage(boxes[["x", "y", "w", "h"]].to_numpy(np.float64)) / len(boxes)
    highest = heat.max()
    levels = np.minimum(np.ceil(HEAT_LEVELS * heat / highest), HEAT_LEVELS)
    shape = float(np.clip((boxes["height"] / boxes["width"]).median(), 0.5, 2))

    def draw(axes: Axes) -> None:
        for level in range(1, HEAT_LEVELS + 1):
            outline = _cells(levels == level)
            if outline is not None:
                patch = PathPatch(outline, color=COLOURS["candidate"], alpha=level / HEAT_LEVELS, lw=0)
                patch.set_antialiased(False)  # no seams between the cells
                axes.add_patch(patch)
        axes.set(xlim=(0, HEAT_CELLS), ylim=(HEAT_CELLS, 0), aspect=shape, xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        axes.set(title="position of boxes", xlabel=f"strongest: {highest:.0%} of all boxes")

    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    across, down = (column + 0.5) / HEAT_CELLS, (row + 0.5) / HEAT_CELLS
    return Panel(
        "box-places",
        f"Position of boxes in the image: most, {highest:.0%} of them, cover the place {across:.0%} from the left and "
        f"{down:.0%} from the top",
        draw,
    )


def coverage(boxes: Floats) -> Floats:
    """How many boxes cover each cell of a grid over the image.

    Args:
        boxes: xywhn, shape (n, 4).

    Returns:
        Shape (HEAT_CELLS, HEAT_CELLS), the first row at the top.
    """
    x, y, w, h = boxes.T
    left, right = (_cell(x - w / 2), _cell(x + w / 2) + 1)
    top, bottom = (_cell(y - h / 2), _cell(y + h / 2) + 1)
    # Two-dimensional prefix sums: +1 at the upper left corner and behind the lower right one, -1 behind the other two.
    # Summed over rows and columns, every cell in the box has 1 and every other cell 0.
    side = HEAT_CELLS + 1
    change = np.zeros(side * side)
    for row, column, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        change += sign * np.bincount(row * side + column, minlength=side * side)
    covered: Floats = change.reshape(side, side).cumsum(0).cumsum(1)[:-1, :-1]
    return covered


def _cell(coordinate: Floats) -> NDArray[np.int64]:
    return np.clip((coordinate * HEAT_CELLS).astype(np.int64), 0, HEAT_CELLS - 1)


def _cells(chosen: NDArray[np.bool_]) -> Outline | None:
    """One path around all chosen cells; neighbours in a row become one rectangle."""
    rectangles = []
    for row, cells in enumerate(chosen):
        changes = np.flatnonzero(np.diff(np.concatenate([[False], cells, [False]]).astype(int)))
        for left, right in changes.reshape(-1, 2):
            rectangles.append([(left, row), (right, row), (right, row + 1), (left, row + 1), (left, row)])
    if not rectangles:
        return None
    codes = [Outline.MOVETO, *[Outline.LINETO] * 3, Outline.CLOSEPOLY] * len(rectangles)
    return Outline(np.concatenate(rectangles), codes)


def _by_split(table: pd.DataFrame, values: pd.Series) -> dict[Split, Floats]:
    """Values by the split of their row, for the splits that have any."""
    of_split = {split: values[table["split"] == split].to_numpy(np.float64) for split in SPLIT_COLOURS}
    return {split: each for split, each in of_split.items() if len(each)}


def _stairs(axes: Axes, values: Mapping[Split, Floats], edges: Floats) -> None:
    """A histogram of each split, in percent of its rows, so that splits of different sizes can be compared."""
    for split, each in values.items():
        counts, _ = np.histogram(each, edges)
        shares, colour = 100 * counts / len(each), COLOURS[SPLIT_COLOURS[split]]
        if split == "train":
            axes.stairs(shares, edges, color=colour, fill=True, alpha=0.18, lw=0)
        axes.stairs(shares, edges, color=colour, lw=1.5)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")


def _medians(values: Mapping[Split, Floats], number: str) -> str:
    return ", ".join(f"{split} {number.format(np.median(each))}" for split, each in values.items())
