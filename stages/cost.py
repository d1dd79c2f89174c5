"""Count what every backbone costs, the arms' and the others, at this dataset's number of classes."""

from __future__ import annotations

from mobileyolo.artifacts import DatasetCard
from mobileyolo.config import Params
from mobileyolo.cost_sheet import COST_FILE
from mobileyolo.files import DATASET_FILE
from mobileyolo.models.cost import measure
from stages import run


def main(params: Params) -> None:
    """Write reports/cost.json."""
    sheet = measure(len(DatasetCard.read(DATASET_FILE).names), params.train.imgsz)
    sheet.write(COST_FILE)
    print(f"{len(sheet.models)} models at {', '.join(map(str, sheet.imgsz))} px and {sheet.classes} classes")


if __name__ == "__main__":
    run(main)
