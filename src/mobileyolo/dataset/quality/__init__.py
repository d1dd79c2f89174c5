"""What may lower mAP: a warning if more than `validate.quality.<kind>.share` of the rows offend.

A row offends beyond the kind's limit. Share and limit are in params.yaml.
"""

from __future__ import annotations

from mobileyolo.dataset.finding_kinds import Kind
from mobileyolo.dataset.quality.boxes import BOX_KINDS
from mobileyolo.dataset.quality.classes import CLASS_KINDS
from mobileyolo.dataset.quality.images import IMAGE_KINDS
from mobileyolo.dataset.quality.scenes import SCENE_KINDS
from mobileyolo.dataset.quality.shifts import SHIFT_KINDS

QUALITY: tuple[Kind, ...] = (*CLASS_KINDS, *SHIFT_KINDS, *SCENE_KINDS, *IMAGE_KINDS, *BOX_KINDS)
