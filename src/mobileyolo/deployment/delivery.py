"""A trained model -> exports/<arm>-s<seed>/, with files that were checked against the original on real images."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from ultralytics.utils.nms import non_max_suppression

from mobileyolo.core import environment
from mobileyolo.core.errors import ExportError
from mobileyolo.core.files import ModelFiles
from mobileyolo.core.records import DatasetCard, Split, TrainingRecord
from mobileyolo.core.tables import Manifest
from mobileyolo.deployment import engines, exporting, parity
from mobileyolo.deployment.engines import Array, Engine
from mobileyolo.deployment.formats import EXPORT_FORMATS, check_packages
from mobileyolo.deployment.inputs import network_input, spread
from mobileyolo.deployment.quantising import Measuring, quantise
from mobileyolo.deployment.records import ExportedFile, ExportRecord
from mobileyolo.loading import SplitLabels
from mobileyolo.models import bridge

IMAGES = 32  # contain a few hundred boxes; every image runs through every engine


def deliver(
    files: ModelFiles,
    formats: Sequence[str],
    imgsz: int | None,
    root: Path,
    held_out: str,
    card: DatasetCard,
    manifest: Manifest,
    int8: Measuring | None = None,
) -> ExportRecord:
    """Export a trained model, check each file, and replace the folder of an earlier export.

    Args:
        files: the trained model's.
        formats: keys of EXPORT_FORMATS.
        imgsz: side of the square input in pixels; None for that of the training.
        root: the dataset's folder.
        held_out: the split to check on, a value of evaluate.split.
        card: what validation found the dataset to be.
        manifest: the dataset's clean rows.
        int8: quantise these files as well, where their format has a quantiser, and measure that so.

    Raises:
        ExportError: there is no such model, a package is missing, an export failed, or an exported file does not match
            the original; the folder is then unchanged.
        DatasetError: an image is gone or has changed since it was validated; likewise.
    """
    check_packages(formats, int8 is not None)
    if not files.weights.is_file():
        raise ExportError(f"{files.weights}: no such file; run dvc repro first, or choose another --seed")
    training = TrainingRecord.read(files.training)
    if training.data_digest != card.digest:
        raise ExportError(f"{files.weights} was trained on another dataset than the one in data.dir; run dvc repro")
    side = imgsz or int(training.recipe["imgsz"])
    split = card.held_out(held_out)
    images = [network_input(file, side, side) for file in _chosen(manifest, root, split)]
    model = bridge.load_model(files.weights)
    fused = bridge.load_model(files.weights).fuse(verbose=False)
    original = _run(engines.pytorch(fused), images)
    environment.STATE_DIR.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=environment.STATE_DIR, prefix="export-") as temporary:
        fresh = Path(temporary, "checked")
        fresh.mkdir()
        exported = {}
        for name in formats:
            path = exporting.export(model, name, Path(temporary, name), side)
            found = parity.measure_parity(original, _run(engines.load(name, path, environment.threads()), images))
            exported[name] = ExportedFile(file=path.name, mb=exporting.megabytes(path), **found.model_dump())
            path.rename(fresh / path.name)
        record = ExportRecord(
            arm=files.arm,
            backbone=training.backbone,
            seed=files.seed,
            weights_digest=training.weights_digest,
            imgsz=side,
            split=split,
            images=len(images),
            versions=_versions(formats, int8 is not None),
            formats=exported,
        )
        _check(record)
        if int8:
            with exporting.silenced(Path(temporary, exporting.LOG)):
                quantised = quantise(fresh, formats, fused, side, root, card, manifest, int8)
            record = record.model_copy(update={"int8": quantised})
        record.write(fresh / record.file.name)
        record.folder.parent.mkdir(exist_ok=True)
        if record.folder.exists():
            record.folder.rename(Path(temporary, "before"))
        fresh.rename(record.folder)
    return record


def _check(record: ExportRecord) -> None:
    """Raise unless every file matches the original."""
    failures = [
        f"{EXPORT_FORMATS[name].title}, {record.arm} s{record.seed}: {failure}"
        for name, each in record.formats.items()
        for failure in each.failures()
    ]
    if failures:
        raise ExportError(
            "\n".join(failures) + f"\nmeasured on {record.images} {record.split} images at {record.imgsz} px; "
            f"{record.folder} is unchanged"
        )


def _chosen(manifest: Manifest, root: Path, split: Split) -> list[Path]:
    """Up to IMAGES images, spread evenly over a split; the same ones every time."""
    files = [Path(label["im_file"]) for label in SplitLabels(manifest, root, split).labels]
    return [files[place] for place in spread(len(files), IMAGES)]


def _run(engine: Engine, images: Sequence[Array]) -> list[parity.ImageOutput]:
    """A model's output for each image."""
    outputs = []
    for image in images:
        output = engine(image)
        outputs.append(
            parity.ImageOutput(
                output=output[0],
                boxes=_suppress(output, parity.CONFIDENCE),
                possible=_suppress(output, parity.CONFIDENCE - parity.CONFIDENCE_BOUND, every_class=True),
            )
        )
    return outputs


def _suppress(output: Array, confidence: float, every_class: bool = False) -> Array:
    """Boxes after non-maximum suppression: (n, 6) xyxy in pixels of the network's input, confidence, class."""
    copied = torch.from_numpy(output.copy())  # the suppression may write into its input
    (boxes,) = non_max_suppression(
        copied,
        confidence,
        parity.NMS_IOU,
        multi_label=every_class,
        max_det=output.size,  # no limit: which of two equally good boxes is cut off would depend on the engine
    )
    kept: Array = boxes.numpy()
    return kept


def _versions(formats: Sequence[str], int8: bool) -> dict[str, str]:
    """Versions of the packages that exported, quantised and ran these formats."""
    packages = ["ultralytics", "torch"]
    for each in (EXPORT_FORMATS[name] for name in formats):
        packages += each.packages + (each.quantiser if int8 else ())
    return {package: version(package) for package in dict.fromkeys(packages)}
