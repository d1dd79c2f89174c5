"""Ask MLflow's store what it knows of the same data. DVC can't see the store, so this stage runs every time."""

from __future__ import annotations

from mobileyolo.core import environment
from mobileyolo.core.backbones import ARMS
from mobileyolo.core.config import Params, Seeds
from mobileyolo.core.console import say
from mobileyolo.core.files import HISTORY_FILE, ModelFiles
from mobileyolo.core.last_answer import LastAnswer, question
from mobileyolo.core.records import History
from stages import CODE, run


def main(params: Params) -> None:
    """Write reports/history.json."""
    seeds = params.get("seeds", Seeds)
    asked = question((ModelFiles(arm, seed) for arm in ARMS for seed in seeds), CODE)
    if last := LastAnswer.find(asked):
        history, way = last.history, ", as the store was last asked"
    else:
        (history, lasting), way = _ask(seeds), ""
        if asked and lasting:
            LastAnswer(question=asked, history=history).keep()
    history.write(HISTORY_FILE)
    models = history.spread.models if history.spread else 0
    say(f"candidates measured on these images: {history.candidates}; earlier models of this recipe: {models}{way}")


def _ask(seeds: Seeds) -> tuple[History, bool]:
    with environment.importing():  # takes seconds
        from mobileyolo.core.results import ArmResult
        from mobileyolo.tracking import read_history

    return read_history({arm: [ArmResult.read(arm, seed) for seed in seeds] for arm in ARMS})


if __name__ == "__main__":
    run(main)
