"""MLflow: one flat run for each trained model, in one experiment for each dataset.

Tracking never fails a stage. What could not be logged is warned about and made up for later: every stage after
training logs again whatever the store lacks, from the files that DVC keeps. A result that DVC restores from its
cache makes no run by itself.
"""

from __future__ import annotations

from mobileyolo.tracking.runs import LiveRun, Tracker, log_results

__all__ = ["LiveRun", "Tracker", "log_results"]
