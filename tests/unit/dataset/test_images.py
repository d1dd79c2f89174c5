from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from ultralytics.utils.patches import imread

from mobileyolo.core.datasets import LARGEST_AREA
from mobileyolo.dataset.images import ImageFacts, pixels_digest, read_image
from tests.damage import bomb

Picture = Callable[[], Image.Image]


def scene(width: int = 160, height: int = 96, seed: int = 0) -> Image.Image:
    """Smooth blotches, another scene for another seed; brighter to the right, so that no turn leaves it as it is."""
    coarse = np.random.default_rng(seed).integers(0, 160, (height // 8, width // 8, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    ramp = np.linspace(0, 90, width).astype(np.uint8)[None, :, None]
    return Image.fromarray(np.asarray(picture) // 2 + ramp)


def saved(folder: Path, name: str, picture: Image.Image, **options: object) -> Path:
    path = folder / name
    picture.save(path, **options)  # type: ignore[arg-type]  # options of the format
    return path


def distance(one: ImageFacts, other: ImageFacts) -> int:
    return (one.dhash ^ other.dhash).bit_count()


SIXTEEN_BITS = Image.fromarray(np.linspace(0, 65_535, 160 * 96).reshape(96, 160).astype(np.uint16))


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("a.jpg", scene()),
        ("grey.jpg", scene().convert("L")),
        ("cmyk.jpg", scene().convert("CMYK")),
        ("a.png", scene()),
        ("grey.png", scene().convert("L")),
        ("black and white.png", scene().convert("1")),
        ("palette.png", scene().convert("P")),
        ("alpha.png", scene().convert("RGBA")),
        ("16 bits.png", SIXTEEN_BITS),
        ("16 bits.tif", SIXTEEN_BITS),
        ("a.tif", scene()),
        ("a.bmp", scene()),
        ("a.webp", scene()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_image_is_seen_as_ultralytics_sees_it(tmp_path: Path, name: str, picture: Image.Image) -> None:
    path = saved(tmp_path, name, picture)
    facts = read_image(path)
    assert facts.read_error is None
    seen = imread(str(path))
    assert (facts.height, facts.width) == seen.shape[:2]
    grey = cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY) if seen.shape[2] == 3 else seen
    assert facts.brightness == pytest.approx(grey.mean() / 255, abs=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_an_exif_turn_is_followed_as_opencv_follows_it(tmp_path: Path, name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path, name, scene(), exif=exif, **({"quality": 100} if name != "a.png" else {}))
    facts = read_image(path)
    seen = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    assert (facts.height, facts.width) == seen.shape[:2]
    upright = read_image(saved(tmp_path, "upright.png", Image.fromarray(seen[..., ::-1])))
    assert distance(facts, upright) <= 2


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_broken_exif_block_does_not_make_an_image_unreadable(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", scene(), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert read_image(path).read_error is None


def test_the_format_is_that_of_the_content(tmp_path: Path) -> None:
    assert read_image(saved(tmp_path, "a.png", scene(), format="jpeg")).format == "JPEG"


@pytest.mark.parametrize("size", [(1200, 80), (40, 700), (10, 10), (641, 479), (30, 2000)])
def test_images_of_any_shape_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = scene(160, 96).resize(size)
    for name in ("a.jpg", "a.png"):
        facts = read_image(saved(tmp_path, name, picture))
        assert (facts.width, facts.height, facts.read_error) == (*size, None)


def test_an_image_saved_anew_is_a_near_duplicate_and_another_scene_is_not(tmp_path: Path) -> None:
    original = read_image(saved(tmp_path, "a.png", scene()))
    for name, options in (("b.jpg", {"quality": 60}), ("c.webp", {}), ("d.png", {})):
        assert distance(original, read_image(saved(tmp_path, name, scene(), **options))) <= 4
    smaller = read_image(saved(tmp_path, "small.jpg", scene().resize((120, 72))))
    assert distance(original, smaller) <= 4
    other = read_image(saved(tmp_path, "other.png", scene(seed=1)))
    assert distance(original, other) > 10


def test_the_pixels_digest_is_of_pixels_not_of_bytes(tmp_path: Path) -> None:
    png = saved(tmp_path, "a.png", scene())
    again = saved(tmp_path, "b.bmp", scene())
    assert png.read_bytes() != again.read_bytes()
    assert read_image(png).pixels == read_image(again).pixels
    assert pixels_digest(png) == pixels_digest(again)
    changed = np.array(scene())
    changed[0, 0] += 1
    assert pixels_digest(saved(tmp_path, "c.png", Image.fromarray(changed))) != pixels_digest(png)


def test_blur_lowers_the_sharpness_and_darkness_does_not(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (24, 40), dtype=np.uint8)
    tiles = Image.fromarray(np.kron(grey, np.ones((4, 4), np.uint8)))
    sharp = read_image(saved(tmp_path, "a.png", tiles))
    blurred = read_image(saved(tmp_path, "b.png", tiles.filter(ImageFilter.GaussianBlur(6))))
    dark = read_image(saved(tmp_path, "c.png", tiles.point(lambda level: level // 4)))
    assert blurred.sharpness < sharp.sharpness / 2
    assert dark.brightness < sharp.brightness / 3
    assert dark.sharpness == pytest.approx(sharp.sharpness, rel=0.1)


def test_an_image_of_one_grey_level_has_no_contrast_and_no_sharpness(tmp_path: Path) -> None:
    facts = read_image(saved(tmp_path, "a.png", Image.new("RGB", (64, 64), (40, 40, 40))))
    assert facts.contrast == 0
    assert np.isnan(facts.sharpness)


def cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: round(len(content) * share)]


@pytest.mark.parametrize("name", ["a.jpg", "progressive.jpg", "a.png", "a.webp", "a.tif", "a.bmp"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.9])
def test_a_file_cut_short_is_unreadable(tmp_path: Path, name: str, share: float) -> None:
    path = saved(tmp_path, name, scene(), **({"progressive": True} if name == "progressive.jpg" else {}))
    path.write_bytes(cut(share)(path.read_bytes()))
    facts = read_image(path)
    assert facts.read_error
    assert (facts.width, facts.pixels) == (0, "")
    assert facts.bytes == path.stat().st_size


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # pytest has filters of its own
def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", scene())
    path.write_bytes(bomb(path.read_bytes()))
    assert "exceeds limit" in str(read_image(path).read_error)
    side = int(LARGEST_AREA**0.5) + 1
    large = saved(tmp_path, "b.png", Image.new("1", (side, side)))
    assert large.stat().st_size < 100_000
    assert f"more than {LARGEST_AREA:,}" in str(read_image(large).read_error)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_of_32_bits_are_said_to_be_unsupported(tmp_path: Path, mode: str) -> None:
    path = saved(tmp_path, "a.tif", scene().convert("L").convert(mode))
    assert "32-bit pixels" in str(read_image(path).read_error)


def test_random_bytes_never_raise(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = {name: saved(tmp_path, name, scene()).read_bytes() for name in ("a.jpg", "a.png", "a.tif", "a.webp")}
    for name, content in whole.items():
        for _ in range(40):
            damaged: NDArray[np.uint8] = np.frombuffer(content, np.uint8).copy()
            damaged[rng.integers(0, len(damaged), 8)] = rng.integers(0, 256, 8)
            (tmp_path / name).write_bytes(damaged.tobytes())
            facts = read_image(tmp_path / name)
            assert (facts.read_error is None) == (facts.width > 0)


def test_reading_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    scene().save(buffer, "jpeg")
    path = tmp_path / "a.jpg"
    path.write_bytes(buffer.getvalue()[:-2])  # Ultralytics would save this one anew
    before = path.read_bytes(), path.stat().st_mtime_ns
    read_image(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
