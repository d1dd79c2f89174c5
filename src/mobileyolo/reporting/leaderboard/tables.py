"""Groups of comparable models -> titles, sentences, and cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from mobileyolo.core.text import printable
from mobileyolo.leaderboard.ranking import COSTS, METRICS, Bounded, Group, Leaderboard, Reason, Row, Spread
from mobileyolo.reporting.shared.cells import Table
from mobileyolo.reporting.shared.pages import shown

EMPTY = "No model was measured yet."
MEANINGS = (
    "mAP: mean and standard deviation over the seeds. A difference with an interval is one that a comparison has "
    "logged, with its verdict; one without is of the means in the table. Latency is divided by the baseline's."
)
_REASONS: dict[Reason, str] = {
    "teacher": "trained to teach",
    "running": "still training",
    "unfinished": "killed or failed before the end of the training",
    "unmeasured": "trained, but not measured",
    "incomplete": "without the parameters or tags that say what it is",
    "repeated": "trained again with the same seed",
}
_SHORTEST_DIGEST = 8  # characters that are shown


def title(group: Group) -> str:
    """The dataset and its split."""
    return f"{shown(group.dataset) or 'unnamed'} ({group.data_digest[:_SHORTEST_DIGEST]}), {shown(group.split)}"


def terms(group: Group) -> str:
    """What all rows have in common."""
    recipe = [f"{key} {value}" for key, value in group.recipe.items()]
    engine = [f"{key} {value}" for key, value in group.engine.items()]
    told = {f"Recipe {group.recipe_digest[:_SHORTEST_DIGEST]}": recipe, "Engine": engine}
    return " ".join(shown(f"{name}: {', '.join(values)}.") for name, values in told.items() if values)


def candidates(group: Group) -> str:
    """How many candidates the split has seen, and what follows from that."""
    split, count = shown(group.split), group.candidates
    if group.split == "val":
        return f"{_counted(count, 'candidate')} measured on val, which also chose each model's best epoch."
    luck = "; the best of them is partly the luckiest: `mobileyolo confirm` measures it once more" if count > 1 else ""
    return f"{_counted(count, 'candidate')} measured on these {split} images{luck}."


def left_out(board: Leaderboard) -> str:
    """Which runs are in no table; empty if all are in one."""
    told = [f"{count} {_REASONS[reason]}" for reason, count in board.left_out.items()]
    return f"Left out: {_counted(sum(board.left_out.values()), 'run')} ({', '.join(told)})." if told else ""


def table(group: Group) -> Table:
    """The rows; the last cell is the verdict."""
    header = (
        *("model", "arm", "seeds", "mAP50-95", "mAP50", "val mAP50-95", "difference", "interval"),
        *("against", "M parameters", "GFLOPs", "latency", "verdict"),
    )
    marks = tuple(_mark(row) for row in group.rows)
    return Table(header, "llrrrrrrlrrrl", tuple(map(_cells, group.rows)), marks)


def _cells(row: Row) -> tuple[str, ...]:
    logged = row.logged
    delta = logged.delta.value if logged else row.delta
    parameters, gflops = (row.costs.get(name) for name in ("parameters", "gflops"))
    return (
        shown(row.model),
        row.arm,
        str(len(row.seeds)),
        *(_spread(row.metrics.get(name)) for name in METRICS),
        "" if delta is None else f"{delta:+.3f}",
        _interval(row),
        shown(row.against),
        "" if parameters is None else f"{parameters / 1e6:.2f}",
        "" if gflops is None else f"{gflops:.2f}",
        _ratio(logged.latency) if logged and logged.latency else "",
        _verdict(row),
    )


def _spread(value: Spread | None) -> str:
    if value is None:
        return ""
    return f"{value.mean:.3f}" if value.deviation is None else f"{value.mean:.3f} ± {value.deviation:.3f}"


def _interval(row: Row) -> str:
    logged = row.logged
    if logged is None or logged.delta.low is None or logged.delta.high is None:
        return ""
    part = f" ({logged.seeds} of {len(row.seeds)} seeds)" if logged.seeds < len(row.seeds) else ""
    return f"{logged.delta.low:+.3f} to {logged.delta.high:+.3f}{part}"


def _ratio(latency: Bounded) -> str:
    if latency.low is None or latency.high is None:
        return f"x {latency.value:.2f}"
    return f"x {latency.value:.2f} ({latency.low:.2f} to {latency.high:.2f})"


def _verdict(row: Row) -> str:
    if row.logged is None:
        return ""
    return shown(f"{row.logged.verdict}{', provisional' if row.logged.provisional else ''}")


def _mark(row: Row) -> str:
    if row.logged is None:
        return ""
    return "grey" if row.logged.provisional else row.logged.verdict.replace(" ", "-")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def as_csv(board: Leaderboard) -> str:
    """One line for each row of each group, with all digits; empty cells where nothing is known."""
    file = io.StringIO()
    lines = [_line(group, row) for group in board.groups for row in group.rows]
    writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(dict(line) for line in lines)
    return file.getvalue()


_COLUMNS = (
    *("dataset", "data_digest", "split", "recipe_digest", "candidates", "model", "arm", "seeds"),
    *(f"{name}{part}" for name in METRICS for part in ("", "_deviation")),
    *("difference", "low", "high", "against", "verdict", "provisional", "compared_seeds"),
    *(*COSTS, "latency_ratio", "latency_ratio_low", "latency_ratio_high"),
)


def _line(group: Group, row: Row) -> Iterator[tuple[str, object]]:
    yield "dataset", printable(group.dataset)
    yield "data_digest", printable(group.data_digest)
    yield "split", printable(group.split)
    yield "recipe_digest", printable(group.recipe_digest)
    yield "candidates", group.candidates
    yield "model", printable(row.model)
    yield "arm", row.arm
    yield "seeds", " ".join(map(str, row.seeds))
    for name, value in row.metrics.items():
        yield name, value.mean
        yield f"{name}_deviation", value.deviation
    yield from row.costs.items()
    yield from (("difference", row.delta), ("against", printable(row.against)))
    if logged := row.logged:
        yield from (("difference", logged.delta.value), ("low", logged.delta.low), ("high", logged.delta.high))
        yield "verdict", printable(logged.verdict)
        yield from (("provisional", str(logged.provisional).lower()), ("compared_seeds", logged.seeds))
        if ratio := logged.latency:
            yield "latency_ratio", ratio.value
            yield from (("latency_ratio_low", ratio.low), ("latency_ratio_high", ratio.high))
