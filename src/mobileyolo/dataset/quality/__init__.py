"""What is unwise about a dataset: a warning where more than `validate.quality.<kind>.share` of the rows offend.

A kind's limit says where one row begins to offend. Both are in params.yaml.
"""

from __future__ import annotations

from mobileyolo.dataset.kinds import Kind
from mobileyolo.dataset.quality.boxes import BOXES
from mobileyolo.dataset.quality.classes import CLASSES
from mobileyolo.dataset.quality.images import IMAGES
from mobileyolo.dataset.quality.scenes import SCENES
from mobileyolo.dataset.quality.shifts import SHIFTS

QUALITY: tuple[Kind, ...] = (*CLASSES, *SHIFTS, *SCENES, *IMAGES, *BOXES)
