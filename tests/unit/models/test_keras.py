"""Files of Keras, most of them made to harm; each is a small one that the test makes."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import FetchedWeights
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.models.keras import LIMIT_MB
from mobileyolo.models.weights import Offer, Pretrained, fetch, read_backbone, start
from tests.keras import keras_arrays, write_keras

KERNEL = "conv_pw_3/conv_pw_3/kernel:0"  # of width 0.25
SHAPE = (1, 1, 32, 32)
Change = Callable[[h5py.File], None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_keras(tmp_path_factory.mktemp("keras") / "mobilenet_2_5_224_tf_no_top.h5", keras_arrays(0.25))


@pytest.mark.parametrize(
    ("inside", "ending"),
    [
        ("", ":0"),  # the published files; weights that were saved by themselves
        ("", ""),  # the same by Keras 3
        ("model_weights", ":0"),  # a whole model
        ("model_weights", ""),
    ],
)
def test_arrays_are_read_by_layer_and_name_wherever_keras_puts_them(tmp_path: Path, inside: str, ending: str) -> None:
    arrays = keras_arrays(0.25)
    read = read_backbone(write_keras(tmp_path / "a.h5", arrays, inside=inside, ending=ending))
    assert read.keys() == arrays.keys()
    assert all(np.array_equal(tensor.numpy(), arrays[name]) for name, tensor in read.items())


def test_kernels_of_depthwise_layers_may_be_called_like_the_others(tmp_path: Path) -> None:
    arrays = keras_arrays(0.25)
    renamed = {name.replace("depthwise_kernel", "kernel"): array for name, array in arrays.items()}
    assert read_backbone(write_keras(tmp_path / "a.h5", renamed)).keys() == arrays.keys()


def test_the_classifier_is_left_out(tmp_path: Path) -> None:
    arrays = keras_arrays(0.25)
    top = {"conv_preds/kernel": np.ones((1, 1, 256, 1000), np.float32), "conv_preds/bias": np.ones(1000, np.float32)}
    assert read_backbone(write_keras(tmp_path / "a.h5", arrays | top)).keys() == arrays.keys()


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_224", "weights.pt"])
def test_hdf5_is_recognised_by_its_first_bytes(whole: Path, tmp_path: Path, name: str) -> None:
    assert "conv1/kernel" in read_backbone(Path(shutil.copy(whole, tmp_path / name)))


def test_an_arm_of_that_width_starts_from_a_fetched_file(whole: Path, tmp_path: Path) -> None:
    copy = FetchedWeights("backbone").weights(0).name
    (source,) = fetch("backbone", whole, tmp_path).files
    offer = Offer(backbones=(Pretrained(source, torch.load(tmp_path / copy, weights_only=True)),))
    record, tensors = start("mnv1_n", model_dict("mnv1_n", 3, bridge.stock_architecture()), offer)
    assert str(record).endswith("from mobilenet_2_5_224_tf_no_top.h5")
    assert record.values == 218_544 + 27  # and the norms' counts of batches
    kernel = torch.from_numpy(keras_arrays(0.25)["conv_pw_13/kernel"])
    assert torch.equal(tensors["model.0.m.3.1.1.conv.weight"], kernel.permute(3, 2, 0, 1))
    with pytest.raises(WeightsError, match=r"mobilenet_2_5_224_tf_no_top\.h5 is for mnv1_n"):
        start("mnv1_s", model_dict("mnv1_s", 3, bridge.stock_architecture()), offer)


def refused(path: Path) -> str:
    """What is said of a file, after its name."""
    with pytest.raises(WeightsError) as caught:
        read_backbone(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said.removeprefix(f"{path}: ")


def changed(whole: Path, folder: Path, change: Change) -> Path:
    """A copy of a file in which something is changed."""
    path = folder / "changed.h5"
    path.write_bytes(whole.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def instead(make: Change) -> Change:
    """Put something else in the place of one kernel."""

    def change(file: h5py.File) -> None:
        del file[KERNEL]
        make(file)

    return change


def test_a_link_to_elsewhere_is_not_followed(whole: Path, tmp_path: Path) -> None:
    for link in (h5py.SoftLink("/conv_pw_4"), h5py.ExternalLink(whole.name, "/conv_pw_3")):

        def layer(file: h5py.File, link: object = link) -> None:
            del file["conv_pw_3"]
            file["conv_pw_3"] = link

        def kernel(file: h5py.File, link: object = link) -> None:
            file[KERNEL] = link

        assert "conv_pw_3 in / is a link to elsewhere" in refused(changed(whole, tmp_path, layer))
        said = refused(changed(whole, tmp_path, instead(kernel)))
        assert "kernel:0 in /conv_pw_3/conv_pw_3 is a link to elsewhere" in said


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
def test_a_file_that_a_link_names_is_not_even_opened(whole: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")  # who opens it waits for ever

    def change(file: h5py.File) -> None:
        for name in ("conv_pw_13", "model_weights"):
            file.pop(name, None)
            file[name] = h5py.ExternalLink(str(tmp_path / "pipe.h5"), "/")

    assert "model_weights in / is a link to elsewhere" in refused(changed(whole, tmp_path, change))


def secret(folder: Path) -> Path:
    path = folder / "secret.bin"
    path.write_bytes(bytes(4 * 32 * 32))
    return path


def test_values_that_lie_in_another_file_are_refused(whole: Path, tmp_path: Path) -> None:
    outside = [(str(secret(tmp_path)), 0, 4 * 32 * 32)]
    path = changed(whole, tmp_path, instead(lambda f: f.create_dataset(KERNEL, SHAPE, "f4", external=outside)))
    with h5py.File(path) as file:
        assert file[KERNEL][()].shape == SHAPE  # so h5py would have read it
    assert "kernel:0 does not lie in the file as it is" in refused(path)


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[:] = h5py.VirtualSource(".", "conv_pw_4/conv_pw_4/kernel:0", (1, 1, 32, 64))[..., :32]
    file.create_virtual_dataset(KERNEL, layout)


@pytest.mark.parametrize(
    "make",
    [
        lambda file: file.create_dataset(KERNEL, SHAPE, "f4", compression="gzip", data=np.ones(SHAPE)),
        lambda file: file.create_dataset(KERNEL, SHAPE, "f4", chunks=SHAPE, data=np.ones(SHAPE)),
        lambda file: file.create_dataset(KERNEL, SHAPE, "f4"),  # no values were ever written
        virtual,
    ],
    ids=["packed", "in chunks", "left out", "computed from others"],
)
def test_values_that_do_not_lie_in_the_file_as_they_are_are_refused(whole: Path, tmp_path: Path, make: Change) -> None:
    assert "kernel:0 does not lie in the file as it is" in refused(changed(whole, tmp_path, instead(make)))


HUGE = (1, 1, 2**20, 2**20)  # 4 TB, of which nothing is in the file


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda f: f.create_dataset(KERNEL, HUGE, "f4", compression="gzip"), "is float32 (1, 1, 1048576, 1048576)"),
        (
            lambda f: f.create_dataset(KERNEL, (32, 32), "f4"),
            "is float32 (32, 32), and should be float32 (1, 1, 32, 32)",
        ),
        (lambda f: f.create_dataset(KERNEL, SHAPE, "f8"), "is float64"),
        (lambda f: f.create_dataset(KERNEL, SHAPE, ">f4"), "is >f4"),
        (lambda f: f.create_dataset(KERNEL, SHAPE, h5py.ref_dtype), "is object"),
        (lambda f: f.create_dataset(KERNEL, SHAPE, h5py.string_dtype()), "is object"),
        (lambda f: f.create_dataset(KERNEL, SHAPE, [("a", "f4")]), "is [('a', '<f4')]"),
        (lambda f: f.create_dataset(KERNEL, dtype="f4", data=h5py.Empty("f4")), "is float32 None"),
        (lambda f: f.create_group(KERNEL), "is no array"),
        (lambda f: f.__setitem__(KERNEL, np.dtype("f4")), "is no array"),
        (lambda f: None, "there is no kernel:0 in /conv_pw_3/conv_pw_3"),
    ],
)
def test_an_array_of_another_kind_is_refused_before_it_is_read(
    whole: Path, tmp_path: Path, make: Change, said: str
) -> None:
    assert said in refused(changed(whole, tmp_path, instead(make)))


@pytest.mark.parametrize("outputs", [0, 8, 3000, 2**30])
def test_a_width_that_no_network_has_is_refused(whole: Path, tmp_path: Path, outputs: int) -> None:
    def change(file: h5py.File) -> None:
        del file["conv_pw_13/conv_pw_13/kernel:0"]
        file.create_dataset("conv_pw_13/conv_pw_13/kernel:0", (1, 1, 256, outputs), "f4")

    assert "can't be read as MobileNetV1 of Keras" in refused(changed(whole, tmp_path, change))


def test_a_group_that_contains_itself_ends(whole: Path, tmp_path: Path) -> None:
    def change(file: h5py.File) -> None:
        del file["conv1/conv1"]
        file["conv1/conv1"] = file["conv1"]

    assert "there is no kernel:0 in /conv1" in refused(changed(whole, tmp_path, change))


@pytest.mark.parametrize("kept", [8, 100, 2000, 20_000, 500_000, -1])
def test_a_truncated_file_is_refused(whole: Path, tmp_path: Path, kept: int) -> None:
    (tmp_path / "cut.h5").write_bytes(whole.read_bytes()[:kept])
    assert "can't be read as MobileNetV1 of Keras: it is damaged or something else" in refused(tmp_path / "cut.h5")


@pytest.mark.parametrize("seed", range(20))
def test_a_file_with_wrong_bytes_all_over_is_refused(whole: Path, tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    content = np.frombuffer(whole.read_bytes(), np.uint8).copy()
    content[random.integers(0, len(content), 2000)] = random.integers(0, 256, 2000)
    content[:8] = np.frombuffer(whole.read_bytes()[:8], np.uint8)
    (tmp_path / "damaged.h5").write_bytes(content.tobytes())
    refused(tmp_path / "damaged.h5")


@pytest.mark.parametrize(
    "names",
    [
        ("Conv1/kernel", "bn_Conv1/gamma", "expanded_conv_depthwise/depthwise_kernel", "Conv_1/kernel"),  # MobileNetV2
        ("conv1/kernel", "conv1/bias", "bn_conv1/gamma", "res2a_branch2a/kernel"),  # ResNet50
    ],
)
def test_another_network_of_keras_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = write_keras(tmp_path / "other.h5", {name: np.ones((3, 3, 3, 32), np.float32) for name in names})
    assert refused(path) == (
        "can't be read as MobileNetV1 of Keras: it is damaged or something else (there is no conv_pw_13 in /)"
    )


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.weights.h5", "")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("model.keras", zipped),
        ("a.h5", lambda path: torch.save({"conv1/kernel": torch.zeros(1)}, path)),
        ("a.hdf5", lambda path: path.write_text("not weights\n", encoding="utf-8")),
        ("b.h5", lambda path: path.write_bytes(pickle.dumps({}))),
    ],
)
def test_what_is_no_hdf5_is_refused(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    assert "it is not HDF5, the format of Keras' .h5 files; its newer .keras files are not read" in refused(
        tmp_path / name
    )


def test_only_a_regular_file_of_a_sensible_size_is_read(whole: Path, tmp_path: Path) -> None:
    assert refused(tmp_path / "missing.h5") == "no such file"
    (tmp_path / "folder.h5").mkdir()
    assert refused(tmp_path / "folder.h5") == "not a file"
    large = Path(shutil.copy(whole, tmp_path / "large.h5"))
    os.truncate(large, int(LIMIT_MB * 1e6) + 1)  # a hole, which takes no space
    assert f"no MobileNetV1 is larger than {LIMIT_MB} MB" in refused(large)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.h5")
        assert refused(tmp_path / "pipe.h5") == "not a file"
