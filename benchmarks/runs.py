"""Adds runs to the store of a finished checkout, all of its own data. Run there: python -m benchmarks.runs COUNT."""

from __future__ import annotations

import sys
from pathlib import Path

from mobileyolo.core import environment


def main() -> None:
    """Log as many candidates as asked for, each with other weights and another recipe."""
    environment.isolate(Path.cwd())
    from mobileyolo.core.config import load_params
    from mobileyolo.core.files import DATASET_FILE
    from mobileyolo.core.records import METRICS, DatasetCard
    from mobileyolo.core.results import ArmResult
    from mobileyolo.tracking.dataset_runs import Runs
    from mobileyolo.tracking.results import evaluation_tags

    result = ArmResult.read("candidate", 0)
    runs = Runs.open(load_params().data_dir, DatasetCard.read(DATASET_FILE))
    for number in range(int(sys.argv[1])):
        changes = {"weights_digest": f"made up {number}", "recipe_digest": f"made up {number}"}
        record = result.training.model_copy(update=changes)
        run = runs.start_run(record)
        run.mark_trained(record)
        run.log_changed_metrics(dict.fromkeys(METRICS, 0.5))
        run.set_tags(evaluation_tags(result.statistics))
        run.end("FINISHED")


if __name__ == "__main__":
    main()
