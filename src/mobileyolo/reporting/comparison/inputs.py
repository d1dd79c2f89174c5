"""Everything that the reports of a comparison are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mobileyolo.core.backbones import Arm
from mobileyolo.core.cost_sheet import CostSheet
from mobileyolo.core.records import StartRecord, ValidationVerdict
from mobileyolo.core.results import ArmResult
from mobileyolo.verdict.records import Comparison

Histories = Mapping[Arm, Sequence[pd.DataFrame]]  # by arm, one history.csv for each seed
Results = Mapping[Arm, Sequence[ArmResult]]  # by arm, one result for each seed


@dataclass(frozen=True)
class ReportInputs:
    """What the reports are made from.

    Attributes:
        comparison: the answer.
        results: that it was made from, by arm, in order of seed.
        histories: by arm, one table for each seed, with the columns of history.csv.
        starts: by arm.
        init: the section of params.yaml: starting weights by role.
        sheet: what every backbone costs.
        validation: what was found in the dataset.
        data_dir: the dataset's folder, as params.yaml has it; only the images that are shown are read.
    """

    comparison: Comparison
    results: Results
    histories: Histories
    starts: Mapping[Arm, StartRecord]
    init: Mapping[str, str]
    sheet: CostSheet
    validation: ValidationVerdict
    data_dir: Path
