"""MLflow: one run for each trained model, in one experiment for each dataset; a study's are children of its own run.

Tracking never fails a stage. What could not be logged is warned about and logged later: every stage after training
logs what the store lacks, from the files that DVC keeps. A result that DVC restores from its cache creates no run
by itself.
"""

from __future__ import annotations

from mobileyolo.tracking.study_runs import StudyRun, study_run
from mobileyolo.tracking.tracker import LiveRun, Logged, Tracker, log_results, read_history, read_models, read_runs

__all__ = [
    "LiveRun", "Logged", "StudyRun", "Tracker", "log_results", "read_history", "read_models", "read_runs", "study_run",
]  # fmt: skip
