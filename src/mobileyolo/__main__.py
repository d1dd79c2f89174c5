"""Command line: python -m mobileyolo show | log | fetch | cost."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from mobileyolo import environment
from mobileyolo.artifacts import COMPARISON_FILE, DATASET_FILE, REPORT_FILE, Comparison, DatasetCard
from mobileyolo.config import ARMS, load_params
from mobileyolo.errors import UserError
from mobileyolo.reporting.cost_tables import console_sheet
from mobileyolo.reporting.tables import console_report
from mobileyolo.results import ArmResult


def show() -> None:
    """Print the last comparison and where its report lies."""
    print(console_report(_comparison()))
    print(f"\nReport: {REPORT_FILE.resolve()}\nRuns:   mlflow ui")


def log() -> None:
    """Log the last comparison and its models to MLflow, as far as the store lacks them."""
    from mobileyolo.tracking import log_results  # MLflow takes seconds to import

    params = load_params()
    arms = {arm: [ArmResult.read(arm, seed) for seed in params.seeds] for arm in ARMS}
    log_results(Path(params.data.dir).name, DatasetCard.read(DATASET_FILE), arms, _comparison())


def fetch(names: list[str]) -> None:
    """Download weights by name into data/weights/; the only command that asks the network for anything."""
    environment.allow_downloads()
    from mobileyolo.models.downloads import download  # after the switch, which Ultralytics and timm read on import

    for name in names:
        print(f"{download(name)}: name it in params.yaml as {name}")


def cost(classes: int, imgsz: int) -> None:
    """Count what every backbone costs and print it."""
    from mobileyolo.models.cost import measure  # Ultralytics takes seconds to import

    print(console_sheet(measure(classes, imgsz)))


def _whole(low: int, high: int, step: int = 1) -> Callable[[str], int]:
    """A converter for argparse: a multiple of `step` from `low` to `high`."""

    def convert(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high or int(text) % step:
            kind = "whole number" if step == 1 else f"multiple of {step}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {kind} from {low} to {high}")
        return int(text)

    return convert


def _comparison() -> Comparison:
    if not COMPARISON_FILE.is_file():
        raise UserError(f"{COMPARISON_FILE}: no such file; run dvc repro first")
    return Comparison.read(COMPARISON_FILE)


def main() -> None:
    """Parse the command line and run the command."""
    parser = argparse.ArgumentParser(prog="python -m mobileyolo", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("show", help="print the last comparison").set_defaults(run=show)
    commands.add_parser("log", help="log to MLflow what its store lacks of it").set_defaults(run=log)
    fetching = commands.add_parser("fetch", help="download starting weights by name")
    fetching.add_argument("names", nargs="+", metavar="name", help="such as yolo11n.pt or mobilenetv1_100")
    fetching.set_defaults(run=fetch)
    costs = commands.add_parser("cost", help="print what every backbone costs, over width and resolution")
    costs.add_argument("--classes", type=_whole(1, 100_000), default=80, help="number of classes (default: 80)")
    costs.add_argument(
        "--imgsz", type=_whole(32, 8192, 32), default=640, help="side of the square input in pixels (default: 640)"
    )
    costs.set_defaults(run=cost)
    environment.isolate(Path.cwd())
    options = vars(parser.parse_args())
    try:
        options.pop("run")(**options)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
