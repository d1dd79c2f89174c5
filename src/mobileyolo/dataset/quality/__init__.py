"""What is unwise about a dataset: a warning where more than `validate.quality.<kind>.share` of the rows offend.

A kind's limit says where one row begins to offend. Both are in params.yaml.
"""

from __future__ import annotations

from mobileyolo.dataset.kinds import Kind
from mobileyolo.dataset.quality.boxes import BOX_KINDS
from mobileyolo.dataset.quality.classes import CLASS_KINDS
from mobileyolo.dataset.quality.images import IMAGE_KINDS
from mobileyolo.dataset.quality.scenes import SCENE_KINDS
from mobileyolo.dataset.quality.shifts import SHIFT_KINDS

QUALITY: tuple[Kind, ...] = (*CLASS_KINDS, *SHIFT_KINDS, *SCENE_KINDS, *IMAGE_KINDS, *BOX_KINDS)
