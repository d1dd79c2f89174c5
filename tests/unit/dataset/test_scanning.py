from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from mobileyolo.dataset import images as images_module
from mobileyolo.dataset import scanning
from mobileyolo.dataset.cache import FRESH_NS, Memory
from mobileyolo.dataset.images import read_image
from mobileyolo.dataset.reading import RawDataset, read_dataset
from tests.damage import image, line, no_label, pixels_also_in, stem, tree
from tests.synthetic import write_dataset

IMAGE = "train/images/001.png"
LABEL = "train/labels/001.txt"
OLD_NS = 1_700_000_000_000_000_000


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the images that are read, as they are."""
    read: list[str] = []

    def spy(path: str) -> object:
        read.append(path)
        return read_image(path)

    monkeypatch.setattr(scanning, "read_image", spy)
    return read


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files of this very moment for old ones."""
    monkeypatch.setattr("mobileyolo.dataset.cache.FRESH_NS", -(10**12))


def same(one: RawDataset, other: RawDataset) -> None:
    pd.testing.assert_frame_equal(one.images, other.images)
    pd.testing.assert_frame_equal(one.boxes, other.boxes)


@pytest.mark.usefixtures("settled")
def test_a_second_time_nothing_is_read_and_the_tables_are_the_same(
    dataset: Path, tmp_path: Path, read_files: list[str]
) -> None:
    line("no box\n0 .1 .1 .5 .1 .3 .6")(dataset, 1)
    image(lambda _: b"no image")(dataset, 2)
    pixels_also_in("val")(dataset, 0)
    before = tree(dataset)
    first = read_dataset(dataset, tmp_path / "memory")
    assert len(read_files) == len(first.images)
    read_files.clear()
    again = read_dataset(dataset, tmp_path / "memory")
    assert read_files == []
    same(first, again)
    same(first, read_dataset(dataset))
    assert tree(dataset) == before


def rewrite_with_the_same_size(root: Path) -> None:
    file = root / IMAGE
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(file, ns=(OLD_NS, OLD_NS))


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "change",
    [
        rewrite_with_the_same_size,
        lambda root: (root / LABEL).write_text("0 .5 .5 .1 .1\n"),
        lambda root: no_label(root, 1),
        lambda root: shutil.copy(root / "train/images/002.png", root / IMAGE),
    ],
    ids=["image, size and time kept", "label", "no label", "another image"],
)
def test_only_what_changed_is_read_again(
    dataset: Path, tmp_path: Path, read_files: list[str], change: Callable[[Path], object]
) -> None:
    read_dataset(dataset, tmp_path / "memory")
    read_files.clear()
    change(dataset)
    changed = read_dataset(dataset, tmp_path / "memory")
    assert read_files == [f"{dataset}/{IMAGE}"]
    same(changed, read_dataset(dataset))


@pytest.mark.usefixtures("settled")
def test_a_label_that_was_missing_and_now_leads_nowhere_is_read_again(dataset: Path, tmp_path: Path) -> None:
    no_label(dataset, 1)
    read_dataset(dataset, tmp_path / "memory")
    (dataset / LABEL).symlink_to("nowhere.txt")
    same(read_dataset(dataset, tmp_path / "memory"), read_dataset(dataset))


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), MemoryError()], ids=["files", "memory"])
def test_what_could_not_be_read_for_no_fault_of_its_own_is_read_again(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(images_module, "read_regular" if isinstance(error, OSError) else "_facts", fail)
        assert read_dataset(dataset, tmp_path / "memory").images["read_error"].notna().all()
    same(read_dataset(dataset, tmp_path / "memory"), read_dataset(dataset))


@pytest.mark.usefixtures("settled")
def test_a_copy_of_an_image_is_its_twin_though_all_pixels_were_compared_before(dataset: Path, tmp_path: Path) -> None:
    look_alikes(dataset)
    read_dataset(dataset, tmp_path / "memory")
    shutil.copy(dataset / IMAGE, dataset / "val/images/001.png")
    pixels = read_dataset(dataset, tmp_path / "memory").images.set_index("image")["pixels"]
    assert pixels[IMAGE] == pixels["val/images/001.png"]


@pytest.mark.usefixtures("settled")
def test_an_image_less_is_forgotten_and_one_more_is_read(dataset: Path, tmp_path: Path, read_files: list[str]) -> None:
    read_dataset(dataset, tmp_path / "memory")
    read_files.clear()
    (dataset / IMAGE).rename(dataset / "train/images/new.png")
    changed = read_dataset(dataset, tmp_path / "memory")
    assert read_files == [f"{dataset}/train/images/new.png"]
    assert IMAGE not in changed.images["image"].tolist()
    same(changed, read_dataset(dataset))


def test_what_changed_a_moment_ago_is_not_remembered(dataset: Path, tmp_path: Path, read_files: list[str]) -> None:
    assert FRESH_NS >= 10**9
    read_dataset(dataset, tmp_path / "memory")
    read_files.clear()
    read_dataset(dataset, tmp_path / "memory")
    assert len(read_files) == 8


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("name", ["images.parquet", "boxes.parquet"])
def test_a_damaged_memory_is_read_anew(dataset: Path, tmp_path: Path, read_files: list[str], name: str) -> None:
    first = read_dataset(dataset, tmp_path / "memory")
    (file,) = (tmp_path / "memory").rglob(name)
    file.write_bytes(file.read_bytes()[:-100])
    read_files.clear()
    same(first, read_dataset(dataset, tmp_path / "memory"))
    assert len(read_files) == 8


@pytest.mark.usefixtures("settled")
def test_the_memory_of_another_reader_does_not_count(
    dataset: Path, tmp_path: Path, read_files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_dataset(dataset, tmp_path / "memory")
    monkeypatch.setattr("mobileyolo.dataset.cache.reader", lambda: "another release")
    read_files.clear()
    read_dataset(dataset, tmp_path / "memory")
    assert len(read_files) == 8


@pytest.mark.usefixtures("settled")
def test_a_memory_that_cannot_be_written_stops_nothing(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("a file in the folder's place")
    same(read_dataset(dataset, tmp_path / "memory"), read_dataset(dataset))


@pytest.mark.usefixtures("settled")
def test_two_datasets_have_memories_of_their_own(dataset: Path, tmp_path: Path) -> None:
    other = write_dataset(tmp_path / "other", seed=1)
    for root in (dataset, other, dataset):
        same(read_dataset(root, tmp_path / "memory"), read_dataset(root))
    assert len(list((tmp_path / "memory").iterdir())) == 2
    assert Memory(tmp_path / "memory", dataset).recall(pd.Series(dtype=object)) is not None


def test_processes_read_what_one_process_reads(dataset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    line("0 .5 .5 .2")(dataset, 1)
    alone = read_dataset(dataset)
    monkeypatch.setattr(scanning, "FEW", 0)
    monkeypatch.setattr(scanning, "CHUNK", 3)
    monkeypatch.setenv("MOBILEYOLO_THREADS", "2")
    same(alone, read_dataset(dataset))


def test_only_identical_pixels_get_the_same_digest(dataset: Path) -> None:
    pixels_also_in("val")(dataset, 0)
    images = read_dataset(dataset).images.set_index("image")
    twins = images.loc[[f"train/images/{stem(0)}.png", f"val/images/of_{stem(0)}.png"]]
    assert twins["sha256"].nunique() == 2
    assert twins["pixels"].nunique() == 1
    assert images["pixels"].nunique() == len(images) - 1


def look_alikes(dataset: Path) -> None:
    """Let an image of val differ from one of train in a single pixel."""
    with Image.open(dataset / IMAGE) as picture:
        large = picture.resize((1280, 1280))
    large.save(dataset / IMAGE)
    large.putpixel((0, 0), tuple(level ^ 1 for level in large.getpixel((0, 0))))  # type: ignore[union-attr]
    large.save(dataset / "val/images/001.png")


def test_thumbnails_that_agree_are_decided_by_all_pixels(dataset: Path) -> None:
    look_alikes(dataset)
    pixels = read_dataset(dataset).images.set_index("image")["pixels"].to_dict()
    assert read_image(dataset / IMAGE).pixels == read_image(dataset / "val/images/001.png").pixels
    assert pixels[IMAGE] != pixels["val/images/001.png"]


KILLED = """
import os, signal, sys
from pathlib import Path
from joblib.externals.loky import get_reusable_executor
from mobileyolo.dataset import scanning
scanning.FEW, scanning.CHUNK = 0, 1
reading = scanning._read(Path(sys.argv[1]), [(sys.argv[2], "no label")] * 100)
next(reading)
Path(sys.argv[3]).write_text(" ".join(map(str, get_reusable_executor(reuse=True)._processes)))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process that its parent has ended")
def test_no_process_goes_on_reading_where_the_one_that_started_it_is_killed(dataset: Path, tmp_path: Path) -> None:
    file = tmp_path / "workers"
    command = [sys.executable, "-c", KILLED, str(dataset), IMAGE, str(file)]
    subprocess.run(command, check=False, timeout=60, env={**os.environ, "MOBILEYOLO_THREADS": "2"})
    workers = [Path("/proc", word) for word in file.read_text().split()]
    assert len(workers) == 2
    patience = time.monotonic() + 30
    while any(worker.exists() for worker in workers) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not any(worker.exists() for worker in workers)
