from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from mobileyolo.reporting.shared.thumbnails import LEAST_VIEW, Picture, View, take, view_round
from tests.bombs import jpeg_of_scans

SIZE = (320, 30_000)


def pixels(picture: Picture) -> np.ndarray:
    content = base64.b64decode(picture.source.removeprefix("data:image/jpeg;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def halves(width: int = 800, height: int = 400) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (width, height), (255, 0, 0))
    image.paste((0, 0, 255), (width // 2, 0, width, height))
    return image


def colour(picture: Picture, x: float, y: float) -> str:
    """Name of the colour at a place in the picture, in shares of its sides."""
    shown = pixels(picture)
    red, green, blue = shown[int(y * (len(shown) - 1)), int(x * (shown.shape[1] - 1))]
    return "grey" if max(red, green, blue) - min(red, green, blue) < 40 else "red" if red > blue else "blue"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif"])
def test_an_image_is_shown_whole_and_small(tmp_path: Path, suffix: str) -> None:
    halves().save(tmp_path / f"image.{suffix}")
    picture = take(tmp_path / f"image.{suffix}", None, *SIZE)
    assert (picture.width, picture.height) == (800, 400)
    assert picture.view == picture.part == View(0, 0, 800, 400)
    assert pixels(picture).shape == (160, 320, 3)
    assert (colour(picture, 0.2, 0.5), colour(picture, 0.8, 0.5)) == ("red", "blue")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_an_image_is_turned_by_its_orientation(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the left side is up
    halves().save(tmp_path / f"image.{suffix}", exif=exif)
    picture = take(tmp_path / f"image.{suffix}", None, *SIZE)
    assert (picture.width, picture.height) == (400, 800)
    assert (colour(picture, 0.5, 0.2), colour(picture, 0.5, 0.8)) == ("red", "blue")
    corner = take(tmp_path / f"image.{suffix}", (0.5, 0.95, 0.02, 0.02), *SIZE)
    assert colour(corner, 0.5, 0.5) == "blue"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixels_is_shown(tmp_path: Path, mode: str) -> None:
    grey = np.zeros((200, 200), np.uint16)
    grey[:, 100:] = 65_535
    image = Image.fromarray(grey) if mode == "I;16" else Image.fromarray((grey >> 8).astype(np.uint8)).convert(mode)
    path = tmp_path / f"image.{'jpg' if mode == 'CMYK' else 'png'}"
    image.save(path)
    shown = pixels(take(path, None, *SIZE))
    assert shown[:, :90].max() < 40
    assert shown[:, 110:].min() > 200


def test_what_must_not_be_decoded_is_not(tmp_path: Path) -> None:
    Image.new("1", (10_000, 10_000)).save(tmp_path / "bomb.png")
    Image.fromarray(np.zeros((20, 20), np.float32)).save(tmp_path / "float.tif")
    (tmp_path / "scans.jpg").write_bytes(jpeg_of_scans(5000))
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "folder.png").mkdir()
    problems = {
        "bomb.png": "10000 x 10000 pixels, more than 89,478,485",
        "float.tif": "32-bit pixels (mode F) are not supported; convert it to 8 bits",
        "scans.jpg": "a JPEG of more than 100 scans, each of which goes over all pixels; save it anew",
        "text.png": "not an image of a known format",
        "folder.png": "a folder, not a file",
        "missing.png": "No such file or directory",
    }
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        problems["pipe.png"] = "not a regular file"
    for name, problem in problems.items():
        assert take(tmp_path / name, None, *SIZE) == Picture(problem=problem)


def test_a_picture_of_noise_is_kept_small(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    assert len(take(tmp_path / "noise.png", None, 320, 30_000).source) < 45_000


def test_a_tiny_box_is_shown_with_its_neighbourhood(tmp_path: Path) -> None:
    halves(4000, 3000).save(tmp_path / "image.jpg", quality=95)
    picture = take(tmp_path / "image.jpg", (0.5, 0.5, 1 / 4000, 1 / 3000), *SIZE)
    assert picture.view == View(2000 - LEAST_VIEW / 2, 1500 - LEAST_VIEW * 3 / 8, LEAST_VIEW, LEAST_VIEW * 3 / 4)
    assert picture.pixelated
    assert (colour(picture, 0.3, 0.5), colour(picture, 0.7, 0.5)) == ("red", "blue")
    assert picture.outline([(0.5, 0.5, 0, 0)], least=0.5) == "M1988 1488H2012V1512H1988Z"


@pytest.mark.parametrize(
    ("box", "view"),
    [
        ((0.5, 0.5, 0.05, 0.1), View(340, 105, 120, 90)),  # three times as high as the box
        ((0.03, 0.05, 0.05, 0.1), View(0, 0, 120, 90)),  # in the corner
        ((0.5, 0.5, 0.9, 0.9), View(0, 0, 800, 300)),  # all there is
        ((1.0, 0.5, 0.05, 0.1), View(716, 105, 120, 90)),  # sticks out
        ((320, 200, 40, 40), View(0, 0, 800, 300)),  # pixels
        ((float("nan"), 0.5, 0.1, 0.1), View(0, 0, 800, 300)),
        (None, View(0, 0, 800, 300)),
    ],
)
def test_the_view_stays_in_the_image_but_follows_a_box_a_little(
    box: tuple[float, float, float, float] | None, view: View
) -> None:
    found = view_round(box, 800, 300)
    assert [found.left, found.top, found.width, found.height] == pytest.approx(
        [view.left, view.top, view.width, view.height]
    )


def test_a_box_far_outside_is_known_not_to_be_shown(tmp_path: Path) -> None:
    halves().save(tmp_path / "image.png")
    picture = take(tmp_path / "image.png", (320, 200, 40, 40), *SIZE)
    assert not picture.shows((320, 200, 40, 40))
    assert picture.shows((1.0, 0.5, 0.1, 0.1))
    beside = take(tmp_path / "image.png", (1.2, 0.5, 0.1, 0.1), *SIZE)
    assert beside.shows((1.2, 0.5, 0.1, 0.1))
    assert beside.part == View(0, 0, 800, 400)
