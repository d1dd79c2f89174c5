"""How far a training is that another process runs: read from the files that it keeps in the main workspace."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from mobileyolo.core.trainings import (
    HOLDER_FILE,
    SCRATCH_DIR,
    TERMS_FILE,
    TRAININGS_DIR,
    checkpoints_in,
    epoch_of,
)

_MAP = "metrics/mAP50-95(B)"  # column of results.csv, which Ultralytics (8.4) appends to after each epoch


@dataclass(frozen=True)
class Sighting:
    """A training that a process holds.

    Attributes:
        epoch: the last one that has ended, from 1; 0 before the first.
        epochs: of the whole training.
        map50_95: on val after that epoch, in [0, 1]; None where it is not known yet.
    """

    arm: str
    backbone: str
    seed: int
    epoch: int
    epochs: int
    map50_95: float | None


@dataclass(frozen=True)
class Progress:
    """How far a trial is that runs.

    Attributes:
        node: name of the machine; "" for this one.
        seen: what it trains now, if it trains.
    """

    node: str
    seen: Sighting | None


def training_since(began: float, folder: Path = TRAININGS_DIR) -> Sighting | None:
    """The training that a process took up last; None if none did since that time.

    Args:
        began: seconds since the epoch, as `time.time` gives them.
        folder: of all trainings of the main workspace.
    """
    found = [(since, path) for path in folder.glob(f"*/{HOLDER_FILE}") if (since := _since(path)) >= began]
    if not found:
        return None
    held = max(found)[1].parent
    try:
        plan = json.loads((held / TERMS_FILE).read_text(encoding="utf-8"))["plan"]
        epochs = int(plan["recipe"]["epochs"])
        ended = map(epoch_of, checkpoints_in(held))
        return Sighting(
            plan["arm"], plan["backbone"], plan["seed"], max(ended, default=0), epochs, last_map(held / SCRATCH_DIR)
        )
    except (OSError, ValueError, KeyError):  # it is being written, or has just ended
        return None


def _since(holder: Path) -> float:
    """When a process took a training up; 0 if that can't be read."""
    try:
        return float(json.loads(holder.read_text(encoding="utf-8"))["since"])
    except (OSError, ValueError, KeyError):
        return 0


def last_map(folder: Path) -> float | None:
    """mAP50-95 on val after the last epoch, from the folder of Ultralytics' own files; None where it is not known."""
    try:
        with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
        return float(rows[-1][_MAP])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None
