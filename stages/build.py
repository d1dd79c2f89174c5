"""Turn a backbone into the model that Ultralytics builds: its dictionary, its cost, what it starts from."""

from __future__ import annotations

import yaml

from mobileyolo.core import environment
from mobileyolo.core.backbones import TEACHER, TRAINEES, Trainee, backbone_key
from mobileyolo.core.config import BackboneName, ImageSize, Params
from mobileyolo.core.console import say
from mobileyolo.core.files import (
    DATASET_FILE,
    built_files,
    model_file,
    offer_file,
    profile_file,
    start_file,
    start_weights_file,
    write_none,
    write_text,
)
from mobileyolo.core.invocation import argument
from mobileyolo.core.records import DatasetCard
from mobileyolo.models.parameters import NO_MODEL, TeacherName
from stages import run


def main(params: Params) -> None:
    """Write model.yaml, profile.json, offer.json, start.json and start.pt into models/<arm>/ or models/teacher/."""
    arm = argument(TRAINEES)
    backbone = params.get(backbone_key(arm), TeacherName if arm == TEACHER else BackboneName)
    if backbone in NO_MODEL:  # the usual case, which need not wait for torch
        write_none(*built_files(arm))
        say(f"{arm}: no model is trained for it")
    else:
        _build(arm, backbone, params)


def _build(arm: Trainee, backbone: str, params: Params) -> None:
    with environment.importing():
        from mobileyolo.costs.profile import profile
        from mobileyolo.models.architecture import model_dict
        from mobileyolo.models.bridge import stock_architecture
        from mobileyolo.models.weights import Offer, save, start

    classes = len(DatasetCard.read(DATASET_FILE).names)
    # Arms differ in the backbone only; a teacher should be as good as it can be.
    architecture = model_dict(backbone, classes, stock_architecture(), whole=arm == TEACHER)
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
