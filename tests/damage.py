"""Ways to damage a dataset that `synthetic.write_dataset` wrote, each with the one finding that it must cause."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from mobileyolo.core.datasets import PARTS
from tests.bombs import jpeg_of_scans, png_of_chunks, tiff_of_strips

Change = Callable[[Path, int], object]  # to the dataset in a folder, at the training image of that number


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def snapshot(root: Path) -> dict[str, tuple[str, int, int]]:
    """Everything below a folder: target of a link or digest, mode, and time of the last change."""
    hashes = tree(root)
    return {
        str(path.relative_to(root)): (
            str(path.readlink()) if path.is_symlink() else hashes.get(str(path.relative_to(root)), ""),
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
        )
        for path in root.rglob("*")
    }


def stem(number: int) -> str:
    return f"{number:03d}"


def line(text: str | bytes) -> Change:
    """Append to the two lines of a label file."""
    raw = text.encode() if isinstance(text, str) else text

    def change(root: Path, number: int) -> None:
        label = root / f"train/labels/{stem(number)}.txt"
        label.write_bytes(label.read_bytes() + raw + b"\n")

    return change


def image(edit: Callable[[bytes], bytes]) -> Change:
    """Edit the bytes of an image file."""

    def change(root: Path, number: int) -> None:
        file = root / f"train/images/{stem(number)}.png"
        file.write_bytes(edit(file.read_bytes()))

    return change


def format_of_image(kind: str, size: int = 64, cut: float = 1.0) -> Change:
    """Replace an image by one of another format or size, or by a truncated one."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (size, size, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    content = buffer.getvalue()[: round(len(buffer.getvalue()) * cut)]
    return image(lambda old: content + old[:0])


def bomb(content: bytes) -> bytes:
    """Make a PNG's header declare 900 million pixels."""
    header = content[12:16] + (30_000).to_bytes(4, "big") * 2 + content[24:29]
    return content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:]


def no_label(root: Path, number: int) -> None:
    (root / f"train/labels/{stem(number)}.txt").unlink()


def label_is_a_folder(root: Path, number: int) -> None:
    no_label(root, number)
    (root / f"train/labels/{stem(number)}.txt").mkdir()


def label(edit: Callable[[str], bytes]) -> Change:
    """Edit the text of a label file."""

    def change(root: Path, number: int) -> None:
        file = root / f"train/labels/{stem(number)}.txt"
        file.write_bytes(edit(file.read_text()))

    return change


def save_as(kind: str, mode: str = "RGB") -> Change:
    """Save an image in another format and mode, under its old name."""

    def change(root: Path, number: int) -> None:
        file = root / f"train/images/{stem(number)}.png"
        with Image.open(file) as picture:
            converted = picture.convert(mode)
        converted.save(file, kind)

    return change


def rename_image(name: str) -> Change:
    def change(root: Path, number: int) -> None:
        folder = root / "train/images"
        (folder / f"{stem(number)}.png").rename(folder / name.format(stem=stem(number)))

    return change


def copy_of_image(name: str, kind: str) -> Change:
    """Save a copy of an image under another name in the same folder."""

    def change(root: Path, number: int) -> None:
        folder = root / "train/images"
        with Image.open(folder / f"{stem(number)}.png") as picture:
            picture.save(folder / name.format(stem=stem(number)), kind)

    return change


def image_is_a_folder(root: Path, number: int) -> None:
    file = root / f"train/images/{stem(number)}.png"
    file.unlink()
    file.mkdir()


def image_is_a_pipe(root: Path, number: int) -> None:
    file = root / f"train/images/{stem(number)}.png"
    file.unlink()
    os.mkfifo(file)


def image_leads(target: str) -> Change:
    def change(root: Path, number: int) -> None:
        file = root / f"train/images/{stem(number)}.png"
        file.unlink()
        file.symlink_to(target.format(stem=stem(number)))

    return change


def label_leads(target: str) -> Change:
    def change(root: Path, number: int) -> None:
        no_label(root, number)
        (root / f"train/labels/{stem(number)}.txt").symlink_to(target)

    return change


def orphan(name: str) -> Change:
    """Write a label file without an image."""

    def change(root: Path, number: int) -> None:
        file = root / "train/labels" / name.format(stem=stem(number))
        file.parent.mkdir(exist_ok=True)
        file.write_text("0 .5 .5 .2 .2\n")

    return change


def no_width(content: bytes) -> bytes:
    """Make a PNG's header declare a width of 0."""
    header = content[12:16] + bytes(4) + content[20:29]
    return content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:]


def pixels_also_in(split: str) -> Change:
    """Save an image again in another split, with other bytes."""

    def change(root: Path, number: int) -> None:
        also_in(split)(root, number)
        copy = root / split / f"images/of_{stem(number)}.png"
        with Image.open(copy) as picture:
            picture.load()
            picture.save(copy, compress_level=1)

    return change


def image_called_classes(root: Path, number: int) -> None:
    (root / f"train/images/{stem(number)}.png").rename(root / "train/images/classes.png")
    (root / f"train/labels/{stem(number)}.txt").rename(root / "train/labels/classes.txt")


def also_in(*splits: str) -> Change:
    """Copy an image into other splits, under a name that has the original's, with an empty label."""

    def change(root: Path, number: int) -> None:
        for split in splits:
            shutil.copy(root / f"train/images/{stem(number)}.png", root / split / f"images/of_{stem(number)}.png")
            (root / split / f"labels/of_{stem(number)}.txt").touch()

    return change


def only_in_val_and_test(root: Path, number: int) -> None:
    also_in("val", "test")(root, number)
    format_of_image("png")(root, number)


@dataclass(frozen=True)
class Damage:
    """A change of one image or label file of the training split, and the one finding that it must cause."""

    name: str
    change: Change
    kind: str
    value: str  # part of what is shown
    line: int | None = 3
    file: str = "train/labels/{stem}.txt"


def unreadable(name: str, change: Change, value: str) -> Damage:
    return Damage(name, change, "unreadable_image", value, None, "train/images/{stem}.png")


def unlabelled(name: str, change: Change, value: str, file: str = "train/images/{stem}.png") -> Damage:
    return Damage(name, change, "missing_label", value, None, file)


def unread(name: str, change: Change, value: str) -> Damage:
    return Damage(name, change, "unreadable_label", value, None, "train/images/{stem}.png")


def misspelt(name: str, label: str) -> Damage:
    """Rename a label file."""

    def change(root: Path, number: int) -> None:
        labels = root / "train/labels"
        (labels / f"{stem(number)}.txt").rename(labels / label.format(stem=stem(number)))

    return Damage(name, change, "misspelt_label", f"its label is train/labels/{label}", None, "train/images/{stem}.png")


def two_spellings(root: Path, number: int) -> None:
    """Replace a label file by two that percent-encode different digits of its name."""
    labels, name = root / "train/labels", stem(number)
    text = (labels / f"{name}.txt").read_bytes()
    no_label(root, number)
    (labels / f"%3{name}.txt").write_bytes(text)
    (labels / f"{name[:2]}%3{name[2]}.txt").write_bytes(text)


def shared(name: str, change: Change, value: str, file: str) -> Damage:
    return Damage(name, change, "image_in_two_splits", value, None, file)


def mismatched(name: str, change: Change, value: str) -> Damage:
    return Damage(name, change, "mismatched_extension", value, None, "train/images/{stem}.png")


SAME = "0 .5 .5 .2 .2"
_DAMAGES = (
    unreadable("truncated PNG", image(lambda content: content[: len(content) // 2]), "runcated"),
    unreadable("PNG without its end", image(lambda content: content[:-20]), "runcated"),
    unreadable("truncated JPEG", format_of_image("jpeg", cut=0.6), "truncated"),
    unreadable("truncated WebP", format_of_image("webp", cut=0.6), ""),
    unreadable("truncated BMP", format_of_image("bmp", cut=0.6), "truncated"),
    unreadable("empty file", image(lambda _: b""), "0 bytes"),
    unreadable("web page", image(lambda _: b"<html>404</html>"), "16 bytes"),
    unreadable("overwritten bytes", image(lambda content: content[:60] + bytes(20) + content[80:]), ""),
    unreadable("wrong checksum", image(lambda content: content[:30] + b"?" + content[31:]), ""),
    unreadable("decompression bomb", image(bomb), "exceeds limit"),
    unreadable("JPEG of 5,000 scans", image(lambda old: jpeg_of_scans(5000) + old[:0]), "more than 100 scans"),
    unreadable("PNG of very many chunks", image(lambda old: png_of_chunks(PARTS) + old[:0]), "100,000 chunks"),
    unreadable("TIFF of very many strips", image(lambda old: tiff_of_strips(PARTS + 1) + old[:0]), "100,001 values"),
    unreadable("GIF", format_of_image("gif"), "not a BMP, JPEG, MPO, PNG, TIFF, WEBP image"),
    unreadable("too small", format_of_image("png", size=9), "only 9 x 9 pixels"),
    unreadable("folder", image_is_a_folder, "a folder, not a file"),
    unreadable("link to nowhere", image_leads("nowhere.png"), "No such file"),
    unreadable("link to itself", image_leads("{stem}.png"), "symbolic links"),
    unreadable("link to a device", image_leads("/dev/zero"), "not a regular file"),
    unreadable("pipe", image_is_a_pipe, "not a regular file"),
    unreadable("32-bit pixels", save_as("tiff", "F"), "32-bit pixels"),
    unreadable("0 pixels wide", image(lambda content: no_width(content)), ""),
    Damage("HEIC", rename_image("{stem}.heic"), "unreadable_image", "not supported", None, "train/images/{stem}.heic"),
    mismatched("JPEG called PNG", save_as("jpeg"), "is JPEG"),
    mismatched("WebP called PNG", save_as("webp"), "is WEBP"),
    mismatched("BMP called PNG", save_as("bmp"), "is BMP"),
    mismatched("TIFF called PNG", save_as("tiff"), "is TIFF"),
    Damage(
        "label of no image", orphan("{stem}_gone.txt"), "orphan_label", "no image", None, "train/labels/{stem}_gone.txt"
    ),
    Damage(
        "label in a folder of its own",
        orphan("extra/{stem}_gone.txt"),
        "orphan_label",
        "no image",
        None,
        "train/labels/extra/{stem}_gone.txt",
    ),
    Damage(
        "one name, two endings",
        copy_of_image("{stem}.bmp", "bmp"),
        "duplicate_stem",
        "the same name as train/images/{stem}.bmp",
        None,
        "train/images/{stem}.png",
    ),
    unlabelled("no label", no_label, "no train/labels/"),
    unlabelled("label is a folder", label_is_a_folder, "no train/labels/"),
    unlabelled("image called classes", image_called_classes, "no train/labels/classes.txt", "train/images/classes.png"),
    misspelt("upper case", "{stem}.TXT"),
    misspelt("percent-encoded", "%3{stem}.txt"),
    Damage(
        "two labels to choose from",
        two_spellings,
        "ambiguous_label",
        "could be train/labels/%3{stem}.txt or train/labels/{stem[0]}{stem[1]}%3{stem[2]}.txt",
        None,
        "train/images/{stem}.png",
    ),
    Damage("class only", line("0"), "malformed_line", "1 columns; expected class x y w h"),
    Damage("4 columns", line("0 .5 .5 .2"), "malformed_line", "4 columns"),
    Damage("6 columns", line("0 .5 .5 .2 .2 .9"), "malformed_line", "6 columns"),
    Damage("polygon without a y", line("0 .1 .1 .2 .2 .3 .3 .4"), "malformed_line", "8 columns"),
    Damage("name for id", line("bar .5 .5 .2 .2"), "malformed_line", "'bar' is not a finite number: 'bar .5 .5 .2 .2'"),
    Damage("decimal commas", line("0 0,5 0,5 0,2 0,2"), "malformed_line", "'0,5' is not a finite number"),
    Damage("comma separated", line("0,.5,.5,.2,.2"), "malformed_line", "is not a finite number"),
    Damage("nan", line("0 nan .5 .2 .2"), "malformed_line", "'nan' is not a finite number"),
    Damage("inf", line("0 .5 inf .2 .2"), "malformed_line", "'inf' is not a finite number"),
    Damage("underscore", line("0 .5 .5 .2 1_0"), "malformed_line", "'1_0' is not a finite number"),
    Damage("half a class", line("0.5 .5 .5 .2 .2"), "malformed_line", "class 0.5 is not a whole number"),
    Damage("bad bytes", line(b"0 .5 .5 .2 \xff"), "malformed_line", r"not UTF-8: '0 .5 .5 .2 \\xff'"),
    unread("UTF-16", label(lambda text: text.encode("utf-16")), "UTF-16"),
    Damage("Latin-1", line("0 .5 .5 .2 .2 caf\xe9".encode("latin-1")), "malformed_line", "not UTF-8"),
    Damage("full-width digits", line("０ .5 .5 .2 .2"), "malformed_line", "is not a finite number"),
    Damage("hexadecimal", line("0x0 .5 .5 .2 .2"), "malformed_line", "'0x0' is not a finite number"),
    Damage("infinity in words", line("0 .5 .5 infinity .2"), "malformed_line", "'infinity' is not a finite number"),
    Damage("overflow", line("0 .5 .5 1e999 .2"), "malformed_line", "is not a finite number"),
    Damage("JSON", line('{"class": 0}'), "malformed_line", "is not a finite number"),
    unread("huge label file", label(lambda text: text.encode() + bytes(17_000_000)), "MB"),
    unread("many lines", label(lambda text: text.encode() + b"\n" * 100_000), "100,000 lines"),
    unread("label links nowhere", label_leads("nowhere.txt"), "No such file"),
    unread("label links to a device", label_leads("/dev/zero"), "not a regular file"),
    Damage("NUL byte", line(b"0 .5 .5 .2 .2\x00"), "malformed_line", "is not a finite number"),
    Damage("one class too many", line("2 .5 .5 .2 .2"), "class_out_of_range", "class 2"),
    Damage("negative class", line("-1 .5 .5 .2 .2"), "class_out_of_range", "class -1"),
    Damage("huge class", line("1e30 .5 .5 .2 .2"), "class_out_of_range", "class 1e+30"),
    Damage("polygon of no class", line("7 .1 .1 .2 .1 .2 .3"), "class_out_of_range", "class 7"),
    Damage("pixels", line("0 32 32 10 10"), "coordinate_out_of_range", "x 32, y 32, w 10, h 10"),
    Damage("centre outside", line("0 1.2 .5 .1 .1"), "coordinate_out_of_range", "x 1.2"),
    Damage("negative centre", line("0 -.1 .5 .1 .1"), "coordinate_out_of_range", "x -0.1"),
    Damage("negative width", line("0 .5 .5 -.2 .2"), "negative_size_box", "w -0.2"),
    Damage("barely negative height", line("0 .5 .5 .2 -.001"), "negative_size_box", "h -0.001"),
    Damage("both negative", line("0 .5 .5 -.2 -.2"), "negative_size_box", "w -0.2, h -0.2"),
    Damage("negative and outside", line("0 .95 .5 -.2 .2"), "negative_size_box", "w -0.2"),
    Damage("wider than the image", line("0 .5 .5 1.5 .2"), "coordinate_out_of_range", "w 1.5"),
    Damage("negative pixels", line("0 32 32 -10 10"), "coordinate_out_of_range", "w -10"),
    Damage("right edge outside", line("0 .95 .5 .2 .2"), "box_beyond_image", "x 0.95"),
    Damage("top edge outside", line("0 .5 .05 .2 .2"), "box_beyond_image", "y 0.05"),
    Damage("wide polygon", line("0 .1 .1 1.2 .1 .2 .3"), "coordinate_out_of_range", "w 1.1"),
    Damage("polygon point outside", line("0 .9 .1 1.1 .1 .9 .3"), "box_beyond_image", "x 1, y 0.2"),
    Damage("zero size outside", line("0 1.2 .5 0 .1"), "coordinate_out_of_range", "w 0"),
    Damage("zero width", line("0 .5 .5 0 .2"), "zero_size_box", "w 0, h 0.2"),
    Damage("zero height", line("0 .5 .5 .2 0.000000"), "zero_size_box", "w 0.2, h 0"),
    Damage("point", line("0 .5 .5 0 0"), "zero_size_box", "w 0, h 0"),
    Damage("polygon on a line", line("0 .2 .1 .2 .5 .2 .9"), "zero_size_box", "w 0, h 0.8"),
    Damage("same line", line(f"{SAME}\n{SAME}"), "duplicate_box", "the same as line 3: 0 0.5 0.5 0.2 0.2", 4),
    Damage("same numbers", line(f"{SAME}\n0.0 0.50 5e-1 .2  .2"), "duplicate_box", "line 3", 4),
    Damage("apart", line(f"{SAME}\n\n1 .5 .5 .2 .2\n{SAME}"), "duplicate_box", "line 3", 6),
    Damage("same polygon", line("0 .1 .1 .2 .1 .2 .3\n" * 2), "duplicate_box", "line 3", 4),
    shared(
        "train in val", also_in("val"), "in val, and in train as train/images/{stem}.png", "val/images/of_{stem}.png"
    ),
    shared("train in test", also_in("test"), "and in train as train/images/{stem}.png", "test/images/of_{stem}.png"),
    shared(
        "train in val, saved again", pixels_also_in("val"), "as train/images/{stem}.png", "val/images/of_{stem}.png"
    ),
    shared("val in test", only_in_val_and_test, "in val as val/images/of_{stem}.png", "test/images/of_{stem}.png"),
)


# Pipes and devices are POSIX's, and making links takes rights on Windows.
_POSIX_ONLY = {"pipe", "link to nowhere", "link to itself", "link to a device"}
_POSIX_ONLY |= {"label links nowhere", "label links to a device"}
DAMAGES = tuple(damage for damage in _DAMAGES if os.name == "posix" or damage.name not in _POSIX_ONLY)


def list_images(root: Path, split: str, *images: str) -> None:
    """Write a text file that lists a split's images, and name it in data.yaml."""
    (root / f"{split}.txt").write_text("".join(f"./{image}\n" for image in images))
    description = yaml.safe_load((root / "data.yaml").read_text())
    (root / "data.yaml").write_text(yaml.safe_dump({**description, split: f"{split}.txt"}))


def clear(root: Path, split: str) -> None:
    """Delete all images and labels of a split."""
    for folder in ("images", "labels"):
        for file in (root / split / folder).iterdir():
            file.unlink()


def mark_and_windows_line_ends(root: Path, number: int) -> None:
    label = root / f"train/labels/{stem(number)}.txt"
    label.write_bytes(b"\xef\xbb\xbf\r\n" + label.read_text().replace("\n", "\r\n\r\n").encode())


def sixteen_bits(root: Path, number: int) -> None:
    file = root / f"train/images/{stem(number)}.png"
    with Image.open(file) as picture:
        grey = np.asarray(picture.convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(file)


def link_out_of_the_dataset(root: Path, number: int) -> None:
    file = root / f"train/images/{stem(number)}.png"
    outside = root.parent / f"{root.name}_outside.png"
    file.rename(outside)
    file.symlink_to(outside)


HARMLESS: tuple[Change, ...] = (
    mark_and_windows_line_ends,
    lambda root, number: (root / f"train/labels/{stem(number)}.txt").write_text(""),  # background
    line("0 .1 .1 .5 .1 .3 .6"),  # a polygon
    line("1.0 .5 .5 .2 .2"),
    line("0 .5 .5 1.01 1.0"),  # rounding
    line("0 .5 .5 .2 .2\n1 .5 .5 .2 .2"),  # two classes in one box
    also_in("train"),  # the same image twice, but in one split
    lambda root, _: (root / "train/labels.cache").write_bytes(b"\x80"),
    lambda root, _: (root / "train/labels/classes.txt").write_text("square"),
    save_as("png", "L"),
    save_as("png", "P"),
    save_as("png", "RGBA"),
    sixteen_bits,
    link_out_of_the_dataset,
)
