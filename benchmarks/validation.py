"""How long does validation take, beside Ultralytics' scan of the same labels? Run: python -m benchmarks.validation.

Ultralytics reads every image's header and every label. Reading here decodes every image to its last pixel, hashes it
twice and measures it, and reads every label; validation goes on to judge all that and to write the report. Every
measurement is a process of its own: all of one round in turn, so that a disturbance of the machine hits them all.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from joblib import Parallel, delayed
from PIL import Image

BOXES = 10  # an image
CLASSES = ("a", "b", "c", "d", "e")
WAYS = ("reading", "validation", "again", "ultralytics")
ABOUT = {
    "reading": "all images and labels, nothing remembered",
    "validation": "the same, judged, with page and Data Docs",
    "again": "validation of the same files a second time",
    "ultralytics": "its scan of headers and labels, no cache",
}


def write(root: Path, start: int, end: int, width: int, height: int) -> None:
    """Write images of smooth blotches, each another one, with BOXES boxes each; every fifth goes to val."""
    for number in range(start, end):
        rng = np.random.default_rng(number)
        split = "val" if number % 5 == 0 else "train"
        coarse = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(root / split / "images" / f"{number:06d}.jpg", quality=88)
        boxes = np.column_stack([rng.uniform(0.3, 0.7, (BOXES, 2)), rng.uniform(0.02, 0.4, (BOXES, 2))])
        lines = [f"{rng.integers(len(CLASSES))} " + " ".join(f"{value:.6f}" for value in box) for box in boxes]
        (root / split / "labels" / f"{number:06d}.txt").write_text("\n".join(lines), encoding="utf-8")


def generate(root: Path, images: int, width: int, height: int) -> None:
    """Write a dataset."""
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (root / split / kind).mkdir(parents=True)
    (root / "data.yaml").write_text(f"train: train/images\nval: val/images\nnames: [{', '.join(CLASSES)}]\n")
    starts = range(0, images, 1000)
    Parallel(n_jobs=-1)(delayed(write)(root, start, min(start + 1000, images), width, height) for start in starts)


def run(way: str, root: Path, memory: Path, report: Path) -> None:
    """Do it one way, in this process, and print the seconds it took."""
    if way == "ultralytics":
        from ultralytics.data.dataset import YOLODataset

        start = time.perf_counter()
        for split in ("train", "val"):
            data = {"names": dict(enumerate(CLASSES)), "nc": len(CLASSES), "channels": 3}
            YOLODataset(img_path=str(root / split / "images"), data=data, task="detect")
    elif way == "reading":
        from mobileyolo.dataset.reading import read_dataset

        start = time.perf_counter()
        read_dataset(root)
    else:
        start = time.perf_counter()
        from mobileyolo.core.config import load_params
        from mobileyolo.core.files import ValidationFiles
        from mobileyolo.dataset.parameters import ValidationRules
        from mobileyolo.dataset.validation import validate
        from mobileyolo.reporting.dataset.report import write_report

        validation = validate(root, load_params().section(ValidationRules), memory, ValidationFiles(report).docs)
        write_report(ValidationFiles(report), root, validation)
    print(time.perf_counter() - start)


def measure(way: str, root: Path, scratch: Path) -> tuple[float, float]:
    """Seconds, and the most memory in MB that the process and its children held together, shared pages once."""
    for cache in root.rglob("*.cache"):
        cache.unlink()
    if way == "validation":
        shutil.rmtree(scratch / "memory", ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.validation", "--run", way, str(root), str(scratch)]
    most = 0.0
    with tempfile.TemporaryFile("w+") as output:  # a pipe would fill up
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            most = max(most, _memory_mb(watched))
            time.sleep(1)
        output.seek(0)
        said = output.read().splitlines()
    if process.returncode:
        sys.exit(f"{way}: exit code {process.returncode}")
    return float(said[-1]), most


def _memory_mb(process: psutil.Process) -> float:
    """Proportional set size where the system tells it, resident set size elsewhere."""
    total = 0.0
    try:
        for one in [process, *process.children(recursive=True)]:
            full = one.memory_full_info()
            total += getattr(full, "pss", full.rss) / 1e6
    except psutil.Error:  # one of them has just ended
        pass
    return total


def main() -> None:
    """Print a line for each size and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--size", type=int, nargs=2, default=[320, 240], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the generated datasets there, or find them there")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        way, root, scratch = options.run
        run(way, Path(root), Path(scratch, "memory"), Path(scratch, "report"))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        os.environ["YOLO_CONFIG_DIR"] = temporary
        width, height = options.size
        print(f"{platform.machine()}, {os.cpu_count()} cores, {width} x {height} pixels, {BOXES} boxes an image")
        for name, about in ABOUT.items():
            print(f"{name:12} {about}")
        print("  images  way            seconds  images/s  to ultralytics  most MB")
        for images in options.images:
            root = folder / f"{images}-{width}x{height}"
            if not root.is_dir():
                generate(root, images, width, height)
            rounds = [{way: measure(way, root, Path(temporary)) for way in WAYS} for _ in range(options.rounds)]
            for way in WAYS:
                seconds = np.median([each[way][0] for each in rounds])
                ratio = np.median([each["ultralytics"][0] / each[way][0] for each in rounds])
                memory = max(each[way][1] for each in rounds)
                print(
                    f"{images:8,}  {way:12}  {seconds:8.1f}  {images / seconds:8,.0f}  {ratio:14.2f}  {memory:7,.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
