from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from PIL import Image, UnidentifiedImageError

from mobileyolo.core import datasets
from mobileyolo.core.datasets import PARTS, SCANS, SEGMENTS, STRAY_BYTES, open_image, read_regular
from tests import bombs
from tests.pipes import make_pipe


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "empty").touch()
    assert read_regular(tmp_path / "a", 1, "file") == content
    assert read_regular(str(tmp_path / "empty"), 1, "file") == b""


def test_a_file_above_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1_000_001)
    with pytest.raises(OSError, match="1,000,001 bytes; no list is larger than 1 MB"):
        read_regular(tmp_path / "a", 1, "list")


def test_a_link_is_followed_to_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "link").symlink_to("a")
    assert read_regular(tmp_path / "link", 1, "file") == b"content"
    if os.name == "posix":
        for device in ("/dev/zero", "/dev/random", "/dev/null", "/dev/tty"):
            (tmp_path / "link").unlink()
            (tmp_path / "link").symlink_to(device)
            with pytest.raises(OSError, match="not a regular file"):
                read_regular(tmp_path / "link", 1, "file")


@pytest.mark.parametrize("place", ["pipe", "device", "large"])
def test_what_takes_the_place_of_a_file_just_before_it_is_opened_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"content")
    judged = os.stat(path)  # noqa: PTH116  # as it is replaced below
    path.unlink()
    if place == "pipe":
        make_pipe(path)  # nobody ever writes into it
    elif place == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(bytes(1_000_001))
    monkeypatch.setattr(os, "stat", lambda *_, **__: judged)
    with pytest.raises(OSError, match="no file is larger" if place == "large" else "not a regular file"):
        read_regular(path, 1, "file")


def test_a_device_is_not_even_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_pipe(tmp_path / "pipe")
    opened: list[str] = []
    monkeypatch.setattr(datasets, "_without_waiting", lambda path, _: opened.append(path))
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(tmp_path / "pipe", 1, "file")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert opened == []


@pytest.mark.parametrize(
    "content",
    [
        bombs.encoded("jpeg"),
        bombs.encoded("jpeg", progressive=True),
        bombs.jpeg_of_scans(SCANS),
        bombs.jpeg_of_segments(SEGMENTS // 2),
        bombs.jpeg_of_segments(500, b"\xff\xe2\x00\x06\xff\xda\xff\xda"),  # not scans, but what looks like them
        bombs.jpeg_after(b"stray"),
        bombs.encoded("jpeg") + b"\xff\xda" * 10_000,  # behind the image: the video of a moving photograph
        bombs.jpeg_of_exif(20_000),
        bombs.encoded("png"),
        bombs.png_of_chunks(PARTS // 10),
        bombs.encoded("tiff"),
        bombs.tiff_of_strips(bombs.SIDE),
        bombs.tiff_of_frames(300),
        bombs.webp_of_frames(300),
        bombs.encoded("bmp"),
    ],
    ids=lambda content: f"{content[:3]!r}-{len(content)}",
)
def test_what_can_be_decoded_in_a_moment_is_opened(content: bytes) -> None:
    with open_image(content) as image:
        image.load()
        assert image.size == (bombs.SIDE, bombs.SIDE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bombs.jpeg_of_scans(SCANS + 1), "a JPEG of more than 100 scans"),
        (bombs.jpeg_of_scans(5000), "a JPEG of more than 100 scans"),
        (bombs.jpeg_of_segments(SEGMENTS), "more than 1,000 segments in front of its pixels"),
        (bombs.jpeg_of_segments(SEGMENTS, b"\xff\xd9"), "more than 1,000 segments in front of its pixels"),
        (bombs.jpeg_after(bytes(STRAY_BYTES + 1)), "more than 65,536 bytes between the segments"),
        (bombs.jpeg_after(b"\xff" * (STRAY_BYTES + 2)), "more than 65,536 bytes between the segments"),
        (bombs.jpeg_after(b"\xff\x00" * STRAY_BYTES), "more than 65,536 bytes between the segments"),
        (bombs.jpeg_of_exif(PARTS + 1), "TIFF's tag 282 has 100,001 values .*, more than 100,000"),
        (bombs.png_of_chunks(PARTS), "a PNG of more than 100,000 chunks"),
        (bombs.png_of_chunks(1, b"eXIf", bombs.tags_of_values(274, PARTS + 1)), "TIFF's tag 274 has 100,001 values"),
        (bombs.png_of_text(100_000_000), "too large"),  # Pillow's own limit
        (bombs.tiff_of_strips(PARTS + 1), "TIFF's tag 273 has 100,001 values"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_would_take_minutes_is_refused_by_its_headers(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_image(content)


def test_big_tiff_is_looked_at_as_well(tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "a.tif", big_tiff=True)
    content = (tmp_path / "a.tif").read_bytes()
    assert content[2] == 43
    open_image(content)
    first = int.from_bytes(content[8:16], "little") + 8
    many = content[: first + 4] + (PARTS + 1).to_bytes(8, "little") + content[first + 12 :] + bytes(4 * PARTS)
    with pytest.raises(ValueError, match="has 100,001 values"):
        open_image(many)
    tags = content[: first - 8] + (PARTS + 1).to_bytes(8, "little") + content[first:] + bytes(20 * PARTS + 20)
    with pytest.raises(ValueError, match="a TIFF of more than 100,000 tags"):
        open_image(tags)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0+", b"text"])
def test_what_is_no_image_is_not_taken_for_one(content: bytes) -> None:
    with pytest.raises(UnidentifiedImageError):
        open_image(content)
