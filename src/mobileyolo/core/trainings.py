"""What lies in the folder of a training that goes on: for who trains, who watches, and who copies its checkpoints."""

from __future__ import annotations

from pathlib import Path

from mobileyolo.core.environment import STATE_DIR

TRAININGS_DIR = STATE_DIR / "trainings"  # a folder for each
HOLDER_FILE = "holder.json"  # the process that trains it, and since when
TERMS_FILE = "terms.json"  # all that it depends on
SCRATCH_DIR = "ultralytics"  # what Ultralytics writes by itself
KEPT = 2  # checkpoints of a training: if the last one is damaged, the one before it is taken


def checkpoint_name(epoch: int) -> str:
    """File of the state after an epoch, counted from 1."""
    return f"epoch-{epoch:05}.pt"


def epoch_of(checkpoint: Path) -> int:
    """The epoch after which a checkpoint was written.

    >>> epoch_of(Path(checkpoint_name(12)))
    12
    """
    return int(checkpoint.stem.partition("-")[2])


def checkpoints_in(training: Path) -> list[Path]:
    """The checkpoints in a training's folder, the earliest first."""
    return sorted(training.glob("epoch-*.pt"))
