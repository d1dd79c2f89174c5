"""Small plots: as SVG with the page's colours and font, and as PNG.

On a wide screen panels are side by side, on a phone below each other. So each has to be readable at 360 pixels.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.style import context as style_context

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.files import replacing

# By name of the page's CSS variable. Each value is unique, so that colours in an SVG can be replaced by variables.
COLOURS = {
    "ink": "#1f2328",
    "muted": "#59636e",
    "line": "#d5dae0",
    "band": "#edf0f3",
    "page": "#fffffe",
    "baseline": "#66707b",
    "candidate": "#0b5cc0",
    "better": "#1a7f37",
    "worse": "#c2272d",
    "inconclusive": "#8a6100",
    "equivalent": "#14717f",
    "no-worse": "#3f7d20",
    "no-better": "#a4481a",
}
CJK_FONTS = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "WenQuanYi Micro Hei",
    "SimHei",
)
LONGEST_LABEL = 14  # characters
PIXELS_AN_INCH = 108  # CSS pixels; the largest scale of a panel, so that letters have one size on a wide page


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        name: unique on the page.
        description: what it shows, for screen readers.
        size: width and height in inches.
    """

    name: str
    description: str
    draw: Callable[[Axes], None]
    size: tuple[float, float] = (4.1, 2.8)


@contextmanager
def _style(name: str) -> Iterator[None]:
    """Our style, without warnings about missing glyphs: the page's own font has them."""
    style = {
        "font.family": ["DejaVu Sans", *_cjk_font()],
        "font.size": 9,
        "text.color": COLOURS["ink"],
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.titlecolor": COLOURS["ink"],
        "axes.titlepad": 9,
        "axes.labelcolor": COLOURS["muted"],
        "axes.edgecolor": COLOURS["line"],
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "xtick.color": COLOURS["line"],
        "xtick.labelcolor": COLOURS["muted"],
        "ytick.color": COLOURS["line"],
        "ytick.labelcolor": COLOURS["muted"],
        "grid.color": COLOURS["line"],
        "grid.linewidth": 0.6,
        "lines.linewidth": 2,
        "legend.frameon": False,
        "svg.fonttype": "none",
        "svg.hashsalt": name,
    }
    # Neither a matplotlibrc of the user nor a package that sets a style changes the figures.
    with style_context(["default", style]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


@cache
def _cjk_font() -> tuple[str, ...]:
    """A font with Chinese glyphs, if one is installed."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in CJK_FONTS if name in installed)[:1]


def to_svg(panel: Panel) -> str:
    """An <svg> element for an HTML page: scalable, with the page's font and colours (CSS variables)."""
    with _style(panel.name):
        figure = Figure(figsize=panel.size, layout="constrained", facecolor="none", edgecolor="none")
        panel.draw(figure.add_subplot())
        buffer = io.StringIO()
        # Figure.savefig draws everything twice, for the same bytes.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # HTML needs no namespaces, and the page has its own style sheet.
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    width, height = (72 * inches for inches in panel.size)  # points are the unit of matplotlib's SVG
    opening = (
        f'<svg viewBox="0 0 {width:g} {height:g}" style="max-width: {panel.size[0] * PIXELS_AN_INCH:.0f}px" '
        f'role="img" aria-label="{escape(panel.description)}">'
    )
    svg = re.sub(r"<svg[^>]*>", lambda _: opening, svg, count=1)
    # Ids of groups would repeat on a page with several panels; ids of clip paths and markers are salted.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg.replace("xlink:href", "href"))
    svg = re.sub(r"font-family: [^;]*; ", "", svg)
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg


def to_png(panels: Sequence[Panel], path: Path, columns: int = 1, legend: tuple[str, str] | None = None) -> None:
    """Panels in a grid as one PNG on white, with a legend of the arms' names."""
    rows = -(-len(panels) // columns)
    width, height = panels[0].size
    with _style(path.stem), replacing(path) as temporary:
        figure = Figure(figsize=(width * columns, height * rows), layout="constrained", facecolor="white")
        for number, panel in enumerate(panels, start=1):
            panel.draw(figure.add_subplot(rows, columns, number))
        if legend:
            lines = [Line2D([], [], color=COLOURS[arm]) for arm in ARMS]
            figure.legend(lines, legend, loc="outside upper right", ncols=2)
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})


def short_label(label: str) -> str:
    """A label, cut so that it leaves room for the plot."""
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
