"""Pretrained weights; every file is a small one that the test makes."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from ultralytics.data.augment import classify_transforms
from ultralytics.nn.tasks import ClassificationModel, DetectionModel, SegmentationModel

from mobileyolo.core.backbones import MobileNet, Stock
from mobileyolo.core.errors import WeightsError
from mobileyolo.core.files import FetchedWeights, Role
from mobileyolo.core.records import Fetched, WeightsSource
from mobileyolo.models import bridge, weights
from mobileyolo.models.architecture import STOCK_BACKBONE_ROWS, ModelDict, mobilenet_channels, model_dict
from mobileyolo.models.families import backbone_of
from mobileyolo.models.weights import Offer, Pretrained, fetch, read_backbone, read_detector, read_teacher, start

STOCK = bridge.stock_architecture()


def architecture(backbone: str, classes: int = 3) -> ModelDict:
    return model_dict(backbone, classes, STOCK)


def write_checkpoint(path: Path, model: object, **changes: Any) -> Path:
    """A checkpoint as Ultralytics saves it after a training: half precision, the model under `model`."""
    torch.save({"model": model.half() if isinstance(model, torch.nn.Module) else model, "ema": None} | changes, path)
    return path


@pytest.fixture(scope="module")
def yolo11n(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint like Ultralytics' yolo11n.pt: 80 classes, and weights that differ from any initial ones."""
    torch.manual_seed(1)
    model = DetectionModel("yolo11n.yaml", nc=80, verbose=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    return write_checkpoint(tmp_path_factory.mktemp("weights") / "yolo11n.pt", model)


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(2)
    path = tmp_path_factory.mktemp("weights") / "mobilenetv1_100.safetensors"
    save_file(timm.create_model("mobilenetv1_100", pretrained=False).state_dict(), path)
    return path


def write_classifier(path: Path, scale: str = "n", seed: int = 3) -> Path:
    """A checkpoint like Ultralytics' yolo11n-cls.pt, of which a training has attached the images' transforms."""
    torch.manual_seed(seed)
    model = ClassificationModel(f"yolo11{scale}-cls.yaml", nc=10, verbose=False)
    for norm in [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]:
        norm.running_var = torch.rand_like(norm.bias.data) / 2 + 0.01
        torch.nn.init.normal_(norm.bias)
    model.transforms = classify_transforms(224)
    return write_checkpoint(path, model, train_args={"imgsz": 224})


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("weights") / "yolo11n-cls.pt")


def write_mobilenet(path: Path, width: float) -> Path:
    """The first and the last kernel of timm's MobileNetV1, by which a width is known."""
    last = mobilenet_channels(1024, width)
    stem = torch.zeros(mobilenet_channels(32, width), 3, 3, 3)
    torch.save({"conv_stem.weight": stem, "blocks.4.1.conv_pw.weight": torch.zeros(last, last, 1, 1)}, path)
    return path


def pretrained(path: Path, read: Any = read_backbone) -> Pretrained:
    return Pretrained(WeightsSource(name=path.name, digest="d" * 64), read(path))


def offer(*backbones: Path, detector: Path | None = None) -> Offer:
    return Offer(pretrained(detector, read_detector) if detector else None, tuple(map(pretrained, backbones)))


def test_a_stock_arm_takes_the_whole_detector_but_for_its_classes(yolo11n: Path) -> None:
    record, tensors = start("yolo11n", architecture("yolo11n"), offer(detector=yolo11n))
    assert record.of_tensors == 499
    # The branch of the classes is 80 channels wide in a model of 80 classes and 64 in one of 3.
    assert {".".join(name.split(".")[:3]) for name in record.random} == {"model.23.cv3"}
    assert record.tensors + len(record.random) == record.of_tensors
    assert record.share > 0.9
    loaded = read_detector(yolo11n)
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in tensors.items())


def test_with_as_many_classes_a_stock_arm_takes_everything(yolo11n: Path) -> None:
    record, tensors = start("yolo11n", architecture("yolo11n", classes=80), offer(detector=yolo11n))
    assert (record.tensors, record.values, record.random) == (record.of_tensors, record.of_values, ())
    model = bridge.build_model(architecture("yolo11n", classes=80))
    model.load_state_dict(tensors)


def test_a_candidate_takes_neck_and_head_under_their_numbers_in_its_own_model(yolo11n: Path) -> None:
    record, tensors = start("mnv1_n", architecture("mnv1_n", classes=80), offer(detector=yolo11n))
    # As measured for this project: 312 of 475 tensors with all classes, by the article's shift of -4.
    assert (record.tensors, record.of_tensors) == (312, 475)
    loaded = read_detector(yolo11n)
    assert torch.equal(tensors["model.6.m.0.ffn.0.conv.weight"], loaded["model.10.m.0.ffn.0.conv.weight"])
    assert torch.equal(tensors["model.19.cv2.0.0.conv.weight"], loaded["model.23.cv2.0.0.conv.weight"])
    assert min(int(name.split(".")[1]) for name in tensors) == 5


def test_mobilenet_takes_its_backbone_from_timm_and_the_rest_from_the_detector(yolo11n: Path, mobilenet: Path) -> None:
    given = offer(mobilenet, detector=yolo11n)
    record, tensors = start("mnv1_m", architecture("mnv1_m"), given)
    model = bridge.build_model(architecture("mnv1_m"))
    of_backbone = [name for name in model.state_dict() if name.startswith("model.0.")]
    assert set(of_backbone) <= set(tensors)
    assert set(record.sources) == {"detector", "backbone"}
    theirs = read_backbone(mobilenet)["blocks.2.0.conv_pw.weight"]
    assert any(torch.equal(tensors[name], theirs) for name in of_backbone if tensors[name].shape == theirs.shape)
    model.load_state_dict(model.state_dict() | tensors)


def test_a_stock_arm_leaves_mobilenets_weights_alone(yolo11n: Path, mobilenet: Path) -> None:
    given = offer(mobilenet, detector=yolo11n)
    record, _ = start("yolo11n", architecture("yolo11n"), given)
    assert set(record.sources) == {"detector"}
    files = given.record().files
    assert {role: [each.name for each in sources] for role, sources in files.items()} == {
        "detector": ["yolo11n.pt"],
        "backbone": ["mobilenetv1_100.safetensors"],
    }


def test_each_arm_takes_its_own_backbone_of_a_folder(mobilenet: Path, classifier: Path) -> None:
    given = offer(mobilenet, classifier)
    taken = {}
    for backbone in ("mnv1_m", "yolo11n"):
        record, tensors = start(backbone, architecture(backbone), given)
        model = bridge.build_model(architecture(backbone))
        length = 1 if backbone == "mnv1_m" else STOCK_BACKBONE_ROWS
        own = {name for name in model.state_dict() if int(name.split(".")[1]) < length}
        assert set(tensors) == own
        assert record.tensors == len(own)
        taken[backbone] = record.sources["backbone"].name
    assert taken == {"mnv1_m": "mobilenetv1_100.safetensors", "yolo11n": "yolo11n-cls.pt"}


def test_a_stock_backbone_computes_what_the_classifier_does(classifier: Path) -> None:
    model = bridge.build_model(architecture("yolo11n")).eval()
    _, tensors = start("yolo11n", architecture("yolo11n"), offer(classifier))
    model.load_state_dict(model.state_dict() | tensors)
    theirs = torch.load(classifier, weights_only=False)["model"].float().eval()
    ours, image = model.model[:STOCK_BACKBONE_ROWS], torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        one, other = ours(image), theirs.model[:STOCK_BACKBONE_ROWS](image)
    assert one.std() > 0.1
    assert (one - other).abs().max() < 1e-4 * other.std()
    # Its norms have another epsilon than a detector's.
    assert {norm.eps for norm in theirs.modules() if isinstance(norm, torch.nn.BatchNorm2d)} == {1e-5}


def test_a_backbone_of_its_own_comes_before_that_of_the_detector(yolo11n: Path, classifier: Path) -> None:
    record, tensors = start("yolo11n", architecture("yolo11n"), offer(classifier, detector=yolo11n))
    theirs = read_backbone(classifier)
    assert all(torch.equal(tensors[name], theirs[name]) for name in theirs)
    neck = read_detector(yolo11n)["model.13.cv1.conv.weight"]
    assert torch.equal(tensors["model.13.cv1.conv.weight"], neck)
    assert set(record.sources) == {"detector", "backbone"}


@pytest.mark.parametrize("scale", "nsmlx")
def test_the_scale_of_a_classifier_is_told_by_its_tensors(scale: str) -> None:
    layers = ClassificationModel(f"yolo11{scale}-cls.yaml", nc=2, verbose=False).model[:STOCK_BACKBONE_ROWS]
    tensors = {f"model.{name}": tensor for name, tensor in layers.state_dict().items()}
    assert backbone_of(tensors, STOCK) == Stock(scale)
    state = bridge.build_model(architecture(f"yolo11{scale}")).state_dict()
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        name: each.shape for name, each in state.items() if int(name.split(".")[1]) < STOCK_BACKBONE_ROWS
    }


@pytest.mark.parametrize("width", [0.25, 0.3, 0.75, 1.0, 1.25])
def test_the_width_of_a_mobilenet_is_told_by_its_tensors_of_either_publisher(width: float) -> None:
    stem, last = (mobilenet_channels(channels, width) for channels in (32, 1024))
    timm_kernels = {"conv_stem.weight": (stem, 3, 3, 3), "blocks.4.1.conv_pw.weight": (last, last, 1, 1)}
    keras_kernels = {"conv1/kernel": (3, 3, 3, stem), "conv_pw_13/kernel": (1, 1, last, last)}
    for shapes in (timm_kernels, keras_kernels):
        tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
        assert backbone_of(tensors, STOCK) == MobileNet(last / 1024)


def test_kernels_without_a_shape_of_kernels_are_of_no_backbone() -> None:
    names = ("conv_stem.weight", "blocks.4.1.conv_pw.weight", "model.0.conv.weight")
    assert backbone_of(dict.fromkeys(names, torch.tensor(1.0)), STOCK) is None


def test_a_mobilenet_that_lacks_a_tensor_is_refused_with_the_name_of_the_file(tmp_path: Path) -> None:
    given = offer(write_mobilenet(tmp_path / "mine.pt", 0.25))
    with pytest.raises(WeightsError, match=r"init\.backbone: mine\.pt: .* has no tensor 'bn1\.weight'"):
        start("mnv1_n", architecture("mnv1_n"), given)


@pytest.mark.parametrize("backbone", ["mnv1@0.3", "mnv1@1.25"])
def test_weights_fit_a_width_whose_channels_they_have(tmp_path: Path, backbone: str) -> None:
    given = offer(write_mobilenet(tmp_path / "mine.pt", float(backbone.removeprefix("mnv1@"))))
    assert given.backbone_for(backbone) == given.backbones[0]


@pytest.mark.parametrize("name", ["yolov8n-cls.yaml", "yolo11n.yaml"])
def test_other_backbones_and_detectors_are_no_backbone_that_an_arm_has(tmp_path: Path, name: str) -> None:
    kind = ClassificationModel if "cls" in name else DetectionModel
    path = write_checkpoint(tmp_path / "other.pt", kind(name, nc=2, verbose=False))
    said = "holds neither a MobileNetV1 nor YOLO11's" if "cls" in name else "holds a DetectionModel, not a classifier"
    with pytest.raises(WeightsError, match=rf"other\.pt: .*{said}"):
        read_backbone(path)


def test_a_classifier_is_no_detector(classifier: Path) -> None:
    for reader in (read_detector, read_teacher):
        with pytest.raises(WeightsError, match=r"yolo11n-cls\.pt: holds a ClassificationModel, not a detection model"):
            reader(classifier)


def test_a_folder_without_a_file_of_an_arms_family_leaves_it_at_random(classifier: Path, mobilenet: Path) -> None:
    for backbone, other in (("mnv1_n", classifier), ("yolo11n", mobilenet)):
        record, tensors = start(backbone, architecture(backbone), offer(other))
        assert (record.sources, tensors) == ({}, {})


@pytest.mark.parametrize(
    ("backbone", "said"),
    [
        ("mnv1_n", "one.pt is for mnv1_m, .*yolo11n-cls.pt is for yolo11n; .*mobileyolo fetch mobilenet_v1_0.25_224$"),
        ("mnv1@0.3", "one.pt is for mnv1_m, .* published for the widths 0.25, 0.5, .* only, not for mnv1@0.3$"),
        ("yolo11s", "one.pt is for mnv1_m, .*mobileyolo fetch yolo11s-cls.pt$"),
    ],
)
def test_a_folder_with_another_width_or_scale_only_is_refused(
    classifier: Path, tmp_path: Path, backbone: str, said: str
) -> None:
    given = offer(write_mobilenet(tmp_path / "one.pt", 1.0), write_mobilenet(tmp_path / "two.pt", 0.5), classifier)
    with pytest.raises(WeightsError, match=rf"init\.backbone: nothing there is for {backbone}: {said}"):
        given.backbone_for(backbone)


def test_two_files_that_fit_are_refused(classifier: Path, tmp_path: Path) -> None:
    given = offer(classifier, write_classifier(tmp_path / "other-cls.pt", seed=4))
    with pytest.raises(WeightsError, match=r"yolo11n-cls\.pt and other-cls\.pt fit yolo11n alike; name one of them"):
        given.backbone_for("yolo11n")
    assert given.backbone_for("mnv1_n") is None


def test_a_model_of_this_project_can_be_gone_on_from(tmp_path: Path) -> None:
    model = bridge.build_model(architecture("mnv1_s"))
    record, _ = start("mnv1_s", architecture("mnv1_s"), offer(detector=write_checkpoint(tmp_path / "best.pt", model)))
    assert record.values == record.of_values


def test_with_no_offer_everything_starts_at_random() -> None:
    record, tensors = start("mnv1_n", architecture("mnv1_n"), Offer())
    assert (record.tensors, record.values, tensors) == (0, 0, {})
    assert len(record.random) == record.of_tensors
    assert str(record) == "random weights"


def test_a_backbone_of_another_width_is_refused_with_its_width(mobilenet: Path) -> None:
    with pytest.raises(WeightsError, match=r"for mnv1_n: mobilenetv1_100\.safetensors is for mnv1_m; "):
        start("mnv1_n", architecture("mnv1_n"), offer(mobilenet))


def source_of(path: Path) -> WeightsSource:
    return WeightsSource(name=path.name, digest=hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("role", ["detector", "backbone"])
def test_a_copy_holds_tensors_only_and_the_digest_is_that_of_the_file(
    role: Role, yolo11n: Path, classifier: Path, tmp_path: Path
) -> None:
    original = yolo11n if role == "detector" else classifier
    fetched = fetch(role, original, tmp_path / "copies")
    assert fetched == Fetched(name=original.name, files=(source_of(original),))
    (copied,) = (tmp_path / "copies").iterdir()
    tensors = torch.load(copied, weights_only=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in tensors.values())
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32, torch.int64}
    fetch(role, original, tmp_path / "again")
    assert (tmp_path / "again" / copied.name).read_bytes() == copied.read_bytes()


def test_of_a_folder_every_backbone_is_copied_and_offered(
    classifier: Path, mobilenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "imagenet"
    folder.mkdir()
    (folder / ".hidden").write_text("no weights", encoding="utf-8")
    originals = [Path(shutil.copy(path, folder)) for path in (mobilenet, classifier)]
    monkeypatch.chdir(tmp_path)
    for role in ("backbone", "detector"):
        files = FetchedWeights(role)
        files.folder.mkdir(parents=True)
        fetched = fetch(role, folder, files.folder) if role == "backbone" else Fetched(name="none")
        fetched.write(files.record)
    given = Offer.read()
    assert given.record().files == {"backbone": tuple(map(source_of, originals))}
    assert [backbone_of(each.tensors, STOCK) for each in given.backbones] == [MobileNet(1.0), Stock("n")]


@pytest.mark.parametrize("name", ["notes.txt", "zip.pt", "folder"])
def test_a_file_in_a_folder_that_is_no_weights_is_named(classifier: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(classifier, folder)
    (folder / name).mkdir() if name == "folder" else (folder / name).write_text("no weights", encoding="utf-8")
    with pytest.raises(WeightsError, match=rf"^\S*{name}: "):
        fetch("backbone", folder, tmp_path / "copies")


def test_a_teacher_may_be_any_detector_with_three_maps(tmp_path: Path) -> None:
    model = DetectionModel("yolov8n.yaml", nc=4, verbose=False)
    checkpoint = read_teacher(write_checkpoint(tmp_path / "teacher.pt", model))
    assert checkpoint["model"].names == {0: "0", 1: "1", 2: "2", 3: "3"}


class Exploit:
    """Unpickling it would run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        import os

        return os.system, (self.command,)


READERS = {"detector": read_detector, "teacher": read_teacher, "backbone": read_backbone}


@pytest.mark.parametrize("role", READERS)
@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "text", "folder", "exploit", "number"])
def test_a_file_that_is_no_such_weights_is_one_clear_error(
    role: str, damage: str, yolo11n: Path, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    match damage:
        case "empty":
            path.touch()
        case "truncated":
            path.write_bytes(yolo11n.read_bytes()[:100_000])
        case "text":
            path.write_text("not weights\n", encoding="utf-8")
        case "folder":
            path.mkdir()
        case "exploit":
            torch.save({"model": Exploit(f"touch {tmp_path / 'pwned'}")}, path)
        case "number":
            torch.save({"model": 7, "ema": None}, path)
    with pytest.raises(WeightsError) as caught:
        READERS[role](path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "pwned").exists()


def test_a_damaged_safetensors_file_is_one_clear_error(mobilenet: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(mobilenet.read_bytes()[:5000])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: can't be read as a state dict"):
        read_backbone(path)


def test_a_detector_with_another_neck_is_refused(tmp_path: Path) -> None:
    model = DetectionModel("yolov8n.yaml", nc=3, verbose=False)
    with pytest.raises(WeightsError, match="is not a YOLO11 detector: its last layers are"):
        read_detector(write_checkpoint(tmp_path / "yolov8n.pt", model))


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "seg.pt", SegmentationModel("yolo11n-seg.yaml", nc=3, verbose=False))
    for reader in (read_detector, read_teacher):
        with pytest.raises(WeightsError, match=r"SegmentationModel.*, which no detector or classifier needs"):
            reader(path)


def test_a_teacher_with_other_maps_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "p6.pt", DetectionModel("yolov8n-p6.yaml", nc=3, verbose=False))
    with pytest.raises(WeightsError, match="detects on 4 feature maps"):
        read_teacher(path)


def test_a_detector_of_which_nothing_fits_is_refused() -> None:
    foreign = Offer(Pretrained(WeightsSource(name="odd.pt", digest="d" * 64), {"model.0.weight": torch.zeros(1)}))
    with pytest.raises(WeightsError, match=r"no tensor of odd\.pt fits"):
        start("mnv1_n", architecture("mnv1_n"), foreign)


def test_nothing_is_written_for_a_file_that_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.pt").write_text("no", encoding="utf-8")
    with pytest.raises(WeightsError):
        weights.fetch("detector", tmp_path / "bad.pt", tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
