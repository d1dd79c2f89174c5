"""Count what every backbone costs, the arms' and the others, at this dataset's number of classes."""

from __future__ import annotations

from mobileyolo.core.backbones import ARMS, backbone_key
from mobileyolo.core.config import BackboneName, ImageSize, Params
from mobileyolo.core.console import say
from mobileyolo.core.cost_sheet import COST_FILE
from mobileyolo.core.files import DATASET_FILE
from mobileyolo.core.records import DatasetCard
from mobileyolo.costs.counting import measure
from stages import run


def main(params: Params) -> None:
    """Write reports/cost.json."""
    arms = [params.get(backbone_key(arm), BackboneName) for arm in ARMS]
    sheet = measure(len(DatasetCard.read(DATASET_FILE).names), params.get("train.imgsz", ImageSize), arms)
    sheet.write(COST_FILE)
    say(f"{len(sheet.models)} models at {', '.join(map(str, sheet.imgsz))} px and {sheet.classes} classes")


if __name__ == "__main__":
    run(main)
