"""The dataset object: it reads the images that were validated, and its augmentation depends on no other package."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader
from ultralytics.cfg import get_cfg
from ultralytics.data.augment import Albumentations

from mobileyolo.core.errors import DatasetError
from mobileyolo.loading import ManifestDataset, build_dataset, without_traceback
from tests.miniature import IMGSZ, make_data

ALBUMENTATIONS = """
__version__ = "2.0.0"

class BaseCompose: ...
class DualTransform: ...

class Transform:
    p = 0.01
    def __init__(self, **settings): ...

Blur = MedianBlur = ToGray = CLAHE = RandomBrightnessContrast = RandomGamma = ImageCompression = Transform

class Compose(BaseCompose):
    def __init__(self, transforms): ...
    def __call__(self, image):
        return {"image": 0 * image}
"""


def dataset_of(data: dict[str, Any], split: str, augment: bool) -> ManifestDataset:
    settings = get_cfg(overrides={"task": "detect", "imgsz": IMGSZ})
    return build_dataset(data[split], settings, data, batch=2, stride=32, augment=augment)


def swap(image: Path, other: Path) -> None:
    """Other bytes, but the same size and time."""
    before, pixels = image.stat(), other.read_bytes()
    image.write_bytes(pixels[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(("split", "augment"), [("train", True), ("test", False)], ids=["training", "evaluation"])
def test_an_image_that_was_swapped_for_another_of_its_size_and_time_is_refused_when_it_is_read(
    tmp_path: Path, split: str, augment: bool
) -> None:
    data = make_data(tmp_path / "shapes")
    dataset = dataset_of(data, split, augment)
    folder = tmp_path / "shapes" / split / "images"
    swap(folder / "001.png", folder / "000.png")
    data[split].check_unchanged()  # neither size nor time tells
    dataset.load_image(0)
    with pytest.raises(DatasetError, match=rf"{split}.images.001\.png: gone or changed since"):
        dataset.load_image(1)


def test_an_image_that_is_deleted_before_it_is_read_is_refused_by_name(tmp_path: Path) -> None:
    dataset = dataset_of(make_data(tmp_path / "shapes"), "train", augment=True)
    (tmp_path / "shapes/train/images/000.png").unlink()
    with pytest.raises(DatasetError, match=r"train.images.000\.png: gone or changed"):
        dataset.load_image(0)


@pytest.mark.parametrize("change", [lambda image: os.utime(image, ns=(1, 1)), Path.unlink], ids=["written", "deleted"])
def test_images_that_change_after_they_were_read_are_noticed(tmp_path: Path, change: Any) -> None:
    labels = make_data(tmp_path / "shapes")["train"]
    labels.check_unchanged()
    change(tmp_path / "shapes/train/images/001.png")
    with pytest.raises(DatasetError, match=r"train.images.001\.png: gone or changed"):
        labels.check_unchanged()


def test_what_a_loaders_worker_refuses_is_told_without_the_workers_traceback(tmp_path: Path) -> None:
    dataset = dataset_of(make_data(tmp_path / "shapes"), "train", augment=True)
    (tmp_path / "shapes/train/images/000.png").unlink()
    loader: DataLoader[Any] = DataLoader(dataset, num_workers=1, collate_fn=dataset.collate_fn)
    with pytest.raises(DatasetError) as caught, without_traceback():
        next(iter(loader))
    (sentence,) = str(caught.value).splitlines()
    assert sentence.startswith(str(tmp_path / "shapes/train/images/000.png: gone or changed"))


def images_of(dataset: ManifestDataset) -> tuple[list[np.ndarray], object]:
    """Two rounds of augmented images (3, IMGSZ, IMGSZ), and the state of Python's random numbers after them."""
    random.seed(0)
    np.random.seed(0)
    images = [dataset[index]["img"].numpy() for index in [0, 1] * 2]
    return images, random.getstate()


def test_a_training_augments_the_same_whether_albumentations_is_installed_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_data(tmp_path / "shapes")
    monkeypatch.setitem(sys.modules, "albumentations", None)  # can't be imported
    without, state = images_of(dataset_of(data, "train", augment=True))
    monkeypatch.delitem(sys.modules, "albumentations")
    (tmp_path / "albumentations.py").write_text(ALBUMENTATIONS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert Albumentations().transform is not None  # it was found
    dataset = dataset_of(data, "train", augment=True)
    assert [each.transform for each in dataset.transforms.transforms if isinstance(each, Albumentations)] == [None]
    again, state_again = images_of(dataset)
    np.testing.assert_array_equal(again, without)
    assert state_again == state
    dataset.close_mosaic(get_cfg(overrides={"task": "detect", "imgsz": IMGSZ}))  # which makes the transforms anew
    assert [each.transform for each in dataset.transforms.transforms if isinstance(each, Albumentations)] == [None]
    sys.modules.pop("albumentations")
