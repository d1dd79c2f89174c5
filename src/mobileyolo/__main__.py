"""Command line: python -m mobileyolo show | log | fetch | cost | export | import | validate."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from mobileyolo import environment
from mobileyolo.artifacts import Comparison, DatasetCard, Manifest, TrainingRecord, ValidationVerdict
from mobileyolo.config import ARMS, PARAMS_FILE, Arm, load_params
from mobileyolo.dataset.importing.sources import FORMATS as SOURCE_FORMATS
from mobileyolo.dataset.importing.sources import Format, Options
from mobileyolo.deployment.formats import FORMATS
from mobileyolo.errors import UserError
from mobileyolo.files import COMPARISON_FILE, DATASET_FILE, REPORT_FILE, VERDICT_FILE, ModelFiles
from mobileyolo.reporting.cost_tables import console_sheet
from mobileyolo.reporting.tables import console, console_report
from mobileyolo.results import ArmResult


def show() -> None:
    """Print the last comparison and where its report lies."""
    print(console_report(_comparison()))
    print(f"\nReport: {REPORT_FILE.resolve()}\nRuns:   mlflow ui")


def log() -> None:
    """Log the last comparison and its models to MLflow, as far as the store lacks them."""
    from mobileyolo.tracking import log_results  # MLflow takes seconds to import

    params, comparison, card = load_params(), _comparison(), _card()
    if card.digest != comparison.data_digest:
        raise UserError(f"{COMPARISON_FILE} is of another dataset than {DATASET_FILE}; run dvc repro first")
    verdict = ValidationVerdict.read(VERDICT_FILE)
    arms = {arm: [ArmResult.read(arm, seed) for seed in params.seeds] for arm in ARMS}
    log_results(params.data.dir, card, verdict, arms, comparison)


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


def export(arm: Arm | None, seed: int | None, formats: list[str] | None, imgsz: int | None) -> None:
    """Export trained models to exports/<arm>-s<seed>/, each file checked against PyTorch on held-out images."""
    import pandas as pd

    from mobileyolo.deployment.delivery import deliver  # Ultralytics takes seconds to import
    from mobileyolo.tracking import Tracker

    params, card, manifest = load_params(), _card(), Manifest.read()
    names = list(FORMATS) if not formats or "all" in formats else list(dict.fromkeys(formats))
    for each in [arm] if arm else ARMS:
        files = ModelFiles(each, params.seeds[0] if seed is None else seed)
        record = deliver(files, names, imgsz, params, card, manifest)
        print(f"{each}: {record.backbone}, seed {record.seed}, {record.imgsz} px, against PyTorch on", end=" ")
        print(f"{record.images} {record.split} images, largest differences:\n{console(record.table())}\n")
        tracker = Tracker(params.data.dir, card)
        training, history = TrainingRecord.read(files.training), pd.read_csv(files.history)
        tracker.log_export(training, history, record.metrics(), record.file)


def import_(kind: Format, source: Path, target: Path, **options: Any) -> None:
    """Make a YOLO dataset of one in another format."""
    from mobileyolo.dataset.importing.conversion import import_dataset  # scikit-learn takes seconds to import

    print(import_dataset(kind, source, target, Options(**options)).describe())


def validate(dataset: Path, params: Path, report: Path | None, strict: bool) -> None:
    """Validate any dataset by the rules of a params.yaml; nothing in it is changed and nothing is trained."""
    from mobileyolo.dataset import validation  # Great Expectations takes seconds to import
    from mobileyolo.dataset.findings import format_findings
    from mobileyolo.reporting.validation import DOCS, check_report_folder, write_report

    rules = load_params(params).validate_
    if report:
        check_report_folder(report, dataset)
    found = validation.validate(dataset, rules, environment.cache_dir(), report / DOCS if report else None)
    if found.findings:
        print(format_findings(found.findings))
    for split, count in found.card.splits.items():
        print(f"{dataset}: {split}: {count.images:,} images, {count.boxes:,} boxes")
    if report:
        print(f"Report: {write_report(report, dataset, found).resolve()}")
    if not found.passed or (strict and found.findings):
        raise UserError(f"{dataset} did not pass validation{' without warnings' if found.passed else ''}")
    warnings = len(found.findings)
    print(f"{dataset}: passed, {warnings} warning{'' if warnings == 1 else 's'}")


def _comparison() -> Comparison:
    if not COMPARISON_FILE.is_file():
        raise UserError(f"{COMPARISON_FILE}: no such file; run dvc repro first")
    return Comparison.read(COMPARISON_FILE)


def _card() -> DatasetCard:
    if not DATASET_FILE.is_file():
        raise UserError(f"{DATASET_FILE}: no such file; run dvc repro first")
    return DatasetCard.read(DATASET_FILE)


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
    _add_export(commands)
    _add_import(commands)
    _add_validate(commands)
    environment.isolate(Path.cwd())
    options = vars(parser.parse_args())
    try:
        options.pop("run")(**options)
    except UserError as error:
        sys.exit(f"error: {error}")


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("export", help="export trained models for other engines, checked against PyTorch")
    parser.add_argument("--arm", choices=ARMS, help="default: both")
    parser.add_argument("--seed", type=int, help="default: the first in params.yaml")
    parser.add_argument(
        "--format", dest="formats", action="append", choices=[*FORMATS, "all"], help="can be repeated; default: all"
    )
    parser.add_argument("--imgsz", type=_imgsz, help="side of the input in pixels; default: the training's")
    parser.set_defaults(run=export)


def _add_import(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "import",
        help="make a YOLO dataset of Pascal VOC, COCO or unsplit YOLO files",
        description="Make a YOLO dataset of one in another format. The source is only read. What was left out or "
        "changed is listed in import.csv. Boxes only: masks, polygons and keypoints of COCO are not looked at.",
    )
    parser.add_argument("kind", metavar="format", choices=SOURCE_FORMATS, help=f"one of {', '.join(SOURCE_FORMATS)}")
    parser.add_argument("source", type=Path, help="folder that holds both images and annotations")
    parser.add_argument("target", type=Path, help="new or empty folder, outside of the source")
    parser.add_argument("--names", type=_names, help="classes in the order of their ids: a,b,c; others are left out")
    parser.add_argument("--seed", type=_whole(0, 2**32 - 1), default=0, help="of the split (default: 0)")
    parser.add_argument("--val", type=_share(1), default=Fraction(1, 5), help="share for validation (default: 0.2)")
    parser.add_argument("--test", type=_share(0), default=Fraction(1, 10), help="share for test (default: 0.1)")
    parser.add_argument("--resplit", action="store_true", help="split by seed even if the source has its own split")
    parser.add_argument("--background", action="store_true", help="images without annotation hold no objects")
    parser.add_argument("--difficult", action="store_true", help="voc: keep the objects that are called difficult")
    parser.add_argument(
        "--from-zero", action="store_true", help="voc: coordinates are edges from 0, not pixels counted from 1"
    )
    parser.add_argument("--link", action="store_true", help="hard links to the source's images instead of copies")
    parser.set_defaults(run=import_)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of different names like a,b,c")
    return names


def _share(lowest: int) -> Callable[[str], Fraction]:
    """A converter for argparse: a share in twentieths, of which the splitting makes its folds."""

    def convert(text: str) -> Fraction:
        try:
            twentieths = Fraction(text) * 20
        except (ValueError, ZeroDivisionError):
            twentieths = Fraction(-1)
        if twentieths.denominator > 1 or not lowest <= twentieths <= 10:
            raise argparse.ArgumentTypeError(f"{text!r} is not a share from {lowest / 20:g} to 0.5 in steps of 0.05")
        return twentieths / 20

    return convert


def _add_validate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("validate", help="look for faults in any YOLO dataset; exit code 1 if it has some")
    parser.add_argument("dataset", type=Path, help="its folder; never changed")
    parser.add_argument("--params", type=Path, default=_params_file(), help="whose section validate rules")
    parser.add_argument(
        "--report", type=Path, metavar="FOLDER", help="write the page, the findings and Data Docs there"
    )
    parser.add_argument("--strict", action="store_true", help="warnings fail too")
    parser.set_defaults(run=validate)


def _params_file() -> Path:
    """The params.yaml of the working directory or, where there is none, of this package's checkout."""
    checkout = Path(__file__).resolve().parents[2] / PARAMS_FILE
    return checkout if checkout.is_file() and not PARAMS_FILE.is_file() else PARAMS_FILE


def _imgsz(text: str) -> int:
    if not text.isdecimal() or int(text) < 32 or int(text) % 32:
        raise argparse.ArgumentTypeError(f"{text!r} is no multiple of 32 above 0")
    return int(text)


if __name__ == "__main__":
    main()
