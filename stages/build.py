"""Turn an arm's backbone into the model that Ultralytics builds: its dictionary, its cost, what it starts from."""

from __future__ import annotations

import yaml

from mobileyolo.core.backbones import backbone_key
from mobileyolo.core.config import BackboneName, ImageSize, Params
from mobileyolo.core.console import say
from mobileyolo.core.files import (
    DATASET_FILE,
    model_file,
    offer_file,
    profile_file,
    start_file,
    start_weights_file,
    write_text,
)
from mobileyolo.core.records import DatasetCard
from mobileyolo.costs.profile import profile
from mobileyolo.models.architecture import model_dict
from mobileyolo.models.bridge import stock_architecture
from mobileyolo.models.weights import Offer, save, start
from stages import arm_argument, run


def main(params: Params) -> None:
    """Write models/<arm>/model.yaml, profile.json, offer.json, start.json and start.pt."""
    arm = arm_argument()
    backbone = params.get(backbone_key(arm), BackboneName)
    classes = len(DatasetCard.read(DATASET_FILE).names)
    architecture = model_dict(backbone, classes, stock_architecture())
    cost = profile(backbone, architecture, params.get("train.imgsz", ImageSize))
    offer = Offer.read()
    record, tensors = start(backbone, architecture, offer)
    write_text(model_file(arm), yaml.safe_dump(architecture, sort_keys=False, default_flow_style=None))
    cost.write(profile_file(arm))
    save(tensors, start_weights_file(arm))
    record.write(start_file(arm))
    offer.record().write(offer_file(arm))
    say(f"{arm}: {backbone}, {cost.parameters:,} parameters, {cost.gflops} GFLOPs at {cost.imgsz} px, start: {record}")


if __name__ == "__main__":
    run(main)
