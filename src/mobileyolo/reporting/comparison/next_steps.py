"""The last words of a run: where the report lies, how to keep the result, and what to try next."""

from __future__ import annotations

from mobileyolo.core.files import METRICS_FILE, REPORT_FILE
from mobileyolo.verdict.records import Comparison

MATCHED_COST = "mnv1_s"  # the MobileNetV1 that costs what yolo11n does (docs: what each backbone costs)


def next_steps(comparison: Comparison) -> str:
    """Lines for a terminal."""
    names = f"{comparison.candidate.backbone} against {comparison.baseline.backbone}"
    lines = [
        "",
        f"Report:  {REPORT_FILE.resolve()}",
        "Runs:    mlflow ui",
        f"Keep it: git add params.yaml dvc.lock {METRICS_FILE.as_posix()}",
        f'         git commit -m "{names}"',
        *(f"{'Try:' if number == 0 else '':8} {line}" for number, line in enumerate(_ideas(comparison))),
    ]
    return "\n".join(lines)


def _ideas(comparison: Comparison) -> list[str]:
    ideas = []
    if len(comparison.seeds) < 3:
        ideas.append(('dvc exp run -S "seeds=[0,1,2]"', "measure how much the result varies between seeds"))
    if comparison.candidate.backbone != MATCHED_COST and comparison.baseline.backbone == "yolo11n":
        ideas.append((f"dvc exp run -S backbone={MATCHED_COST}", "the MobileNetV1 that costs what yolo11n does"))
    ideas.append(("dvc exp run -S data.dir=FOLDER", "your own data"))
    width = max(len(command) for command, _ in ideas)
    return [f"{command:{width}}    {reason}" for command, reason in ideas]
