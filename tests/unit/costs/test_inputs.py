from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ultralytics.data.augment import LetterBox

from mobileyolo.core.errors import DatasetError
from mobileyolo.core.tables import Manifest
from mobileyolo.costs.inputs import letterboxed, typical_images


@pytest.mark.parametrize(
    ("height", "width"),
    [(480, 640), (640, 480), (160, 160), (333, 500), (37, 100), (2001, 3000), (20, 1000), (319, 320)],
)
def test_the_shape_is_that_of_ultralytics_letterbox(height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    assert letterboxed(height, width, 320) == LetterBox((320, 320), auto=True, stride=32)(image=image).shape[:2]


def test_images_of_640_x_480_are_320_x_256_at_320() -> None:
    assert letterboxed(480, 640, 320) == (256, 320)


def make_manifest(root: Path, images: list[tuple[str, int, int, int]]) -> Manifest:
    """A manifest of uniform images without boxes, and the images.

    Args:
        root: where they are written.
        images: split, width and height in pixels, grey level.
    """
    rows = []
    for number, (split, width, height, grey) in enumerate(images):
        file = root / f"{number:02}.png"
        Image.new("RGB", (width, height), (grey, grey, grey)).save(file)
        rows.append((split, file.name, "", width, height, file.stat().st_size, "0" * 64))
    return Manifest(
        pd.DataFrame(rows, columns=list(Manifest.IMAGE_COLUMNS)), pd.DataFrame(columns=list(Manifest.BOX_COLUMNS))
    )


def test_images_are_held_out_ones_of_the_commonest_shape_evenly_spread(tmp_path: Path) -> None:
    wide = [("val", 64, 48, grey) for grey in (10, 20)] + [("test", 64, 48, grey) for grey in (30, 40, 50)]
    others = [("test", 64, 64, 90)] * 4 + [("train", 48, 64, 99)] * 20
    found = typical_images(make_manifest(tmp_path, wide + others), tmp_path, 128, 3)
    assert found.shape == (3, 3, 96, 128)
    middle = found[:, 0, found.shape[2] // 2, found.shape[3] // 2] * 255
    assert middle.round().tolist() == [10, 30, 50]


def test_too_few_images_are_taken_more_than_once(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, [("train", 64, 64, 1), ("val", 64, 64, 10)])
    assert typical_images(manifest, tmp_path, 32, 8).shape == (8, 3, 32, 32)


def test_an_image_that_is_gone_is_named(tmp_path: Path) -> None:
    manifest = make_manifest(tmp_path, [("val", 64, 64, 10)])
    (tmp_path / "00.png").unlink()
    with pytest.raises(DatasetError, match=r"00\.png: gone or changed since the dataset was validated"):
        typical_images(manifest, tmp_path, 32, 8)
