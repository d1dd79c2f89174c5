"""Descriptions (data.yaml) of the dataset that `synthetic.write_dataset` wrote, and how they are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobileyolo.core.errors import DatasetError
from mobileyolo.dataset.layout import find_layout

TRAIN = tuple(f"train/images/{index:03d}.png" for index in range(4))
NAMES = ("square", "bar")
SPLITS = "train: train/images\nval: val/images\n"  # two lines
FULL = f"{SPLITS}names: [square, bar]\n"
LOOP = "Too many levels of symbolic links"


def describe(root: Path, text: str | bytes) -> None:
    (root / "data.yaml").write_bytes(text.encode() if isinstance(text, str) else text)


def refusal(root: Path) -> str:
    """The message with which a dataset is refused, with the dataset's folder as `~`."""
    with pytest.raises(DatasetError) as caught:
        find_layout(root)
    message = str(caught.value)
    assert len(message) < 1000
    return message.replace(str(root), "~")
