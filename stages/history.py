"""Ask MLflow's store what it knows of the same data. DVC can't see the store, so this stage runs every time."""

from __future__ import annotations

from mobileyolo.core.backbones import ARMS
from mobileyolo.core.config import Params, Seeds
from mobileyolo.core.console import say
from mobileyolo.core.files import HISTORY_FILE
from mobileyolo.core.results import ArmResult
from mobileyolo.tracking import read_history
from stages import run


def main(params: Params) -> None:
    """Write reports/history.json."""
    seeds = params.get("seeds", Seeds)
    history = read_history({arm: [ArmResult.read(arm, seed) for seed in seeds] for arm in ARMS})
    history.write(HISTORY_FILE)
    models = history.spread.models if history.spread else 0
    say(f"candidates measured on these images: {history.candidates}; earlier models of this recipe: {models}")


if __name__ == "__main__":
    run(main)
