"""Files of MobileNetV1 as Keras Applications publishes them (HDF5), read with h5py. The only importer of h5py.

HDF5 runs no code, but a dataset of it can lie in another file, be computed from others, or unpack to any size. So no
link but a plain one is followed, and an array is read only if it lies as it is in this file, in the expected shape.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mobileyolo.core.datasets import read_regular
from mobileyolo.models.architecture import MOBILENET_TAP_CHANNELS
from mobileyolo.models.imagenet import LAYERS, keras_shapes

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ENDINGS = (".h5", ".hdf5", ".keras")
LIMIT_MB = 100  # width 1.0 has 17 MB with its classifier, and three times that with an optimizer's state
WHOLE_MODEL = "model_weights"  # the group below which Keras keeps the layers of a model that is saved whole


def is_keras(path: Path) -> bool:
    """Is this a file of Keras', by its ending or by its first bytes?"""
    if path.suffix in ENDINGS:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def read_keras(path: Path) -> dict[str, Tensor]:
    """Keras' arrays by layer and name (`conv1/kernel`), in single precision, for `imagenet.convert`.

    Raises:
        ModuleNotFoundError: h5py is not installed.
        OSError: the file can't be read, or is damaged.
        ValueError: it is no MobileNetV1, or an array does not lie in it as it should.
    """
    import h5py

    content = read_regular(path, LIMIT_MB, "MobileNetV1")
    if not content.startswith(SIGNATURE):
        raise ValueError("it is not HDF5, the format of Keras' .h5 files; its newer .keras files are not read")
    with h5py.File(io.BytesIO(content), "r") as file:
        root = _member(file, WHOLE_MODEL) if file.id.links.exists(WHOLE_MODEL.encode()) else file
        last = _dataset(root, LAYERS[-1].keras[0])
        width = (last.shape or (0,))[-1] / MOBILENET_TAP_CHANNELS[-1]
        return {name: _array(_dataset(root, name), shape) for name, shape in keras_shapes(width).items()}


def _dataset(root: Any, name: str) -> Any:
    """The dataset of an array, where Keras has it: in a group with the layer's name, and another one inside that."""
    import h5py

    layer, variable = name.split("/")
    # Some releases leave out the zero, or call both kinds of kernels the same.
    spellings = [f"{each}{zero}" for each in (variable, variable.removeprefix("depthwise_")) for zero in (":0", "")]
    dataset = _member(_member(_member(root, layer), layer), *spellings)
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{dataset.name} is no array")  # noqa: TRY004 -- one kind of error
    return dataset


def _member(group: Any, *names: str) -> Any:
    """What lies in a group under the first of these names that it has; links to elsewhere are not followed."""
    import h5py

    present = [name for name in names if isinstance(group, h5py.Group) and group.id.links.exists(name.encode())]
    if not present:
        raise ValueError(f"there is no {names[0]} in {group.name}")
    if group.id.links.get_info(present[0].encode()).type != h5py.h5l.TYPE_HARD:
        raise ValueError(f"{present[0]} in {group.name} is a link to elsewhere")
    return group[present[0]]


def _array(dataset: Any, shape: tuple[int, ...]) -> Tensor:
    """The values of a dataset that has this shape and lies in the file as it is."""
    import h5py

    if dataset.shape != shape or dataset.dtype != np.float32:
        raise ValueError(f"{dataset.name} is {dataset.dtype} {dataset.shape}, and should be float32 {shape}")
    storage = dataset.id.get_create_plist()
    plain = storage.get_layout() == h5py.h5d.CONTIGUOUS and not storage.get_external_count()
    if not plain or dataset.id.get_storage_size() != dataset.nbytes:
        raise ValueError(f"{dataset.name} does not lie in the file as it is (packed, elsewhere, or left out)")
    return torch.from_numpy(dataset[()])
