"""Is MobileNetV1 a better backbone than the stock one for YOLO11, on your data?

Importing this package lets Ultralytics build model YAMLs with MobileNetV1 rows. It imports neither Ultralytics nor
torch by itself: the parser learns the rows once something else imports it, or now if that has happened.
"""

from __future__ import annotations

from wrapt import register_post_import_hook

register_post_import_hook("mobileyolo.models.dropin:register", "ultralytics.nn.tasks")
