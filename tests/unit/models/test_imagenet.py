from __future__ import annotations

import math

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from mobileyolo.core.errors import UserError, WeightsError
from mobileyolo.models import bridge
from mobileyolo.models.architecture import model_dict
from mobileyolo.models.imagenet import convert, keras_shapes
from mobileyolo.models.mobilenet_v1 import MobileNetV1, Padding
from tests.keras import Arrays, keras_arrays, keras_maps

WIDTHS = {"mobilenetv1_100": 1.0, "mobilenetv1_125": 1.25}


def timm_network(name: str) -> nn.Module:
    """An untrained timm network with batch norms that change their input, as trained ones do."""
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, pretrained=False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # Variances over four orders of magnitude; the small ones make the epsilon matter.
            module.weight.data *= 10 ** (-2 * torch.rand(module.out_channels, 1, 1, 1))
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data = 0.5 + torch.rand_like(module.weight)
            module.bias.data = 0.5 + torch.randn_like(module.bias)
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(2 * torch.rand(4, 3, 128, 128) - 1)  # sets mean and variance to this batch's
    # In double precision, so that rounding can't explain a difference.
    return network.eval().double()


def built_network(width: float, eps: float, padding: Padding = "symmetric") -> MobileNetV1:
    """This project's network, with the epsilon of torch or of Ultralytics in its norms."""
    network = MobileNetV1(width, padding).eval().double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps
    return network


def timm_maps(network: nn.Module, images: Tensor, *, padded: float | None = None) -> list[Tensor]:
    """The four maps for images in [0, 1]: padded by the stem as timm does, or with a grey level before that."""
    if padded is not None:
        images = functional.pad(images, (1, 1, 1, 1), value=padded)
        network.get_submodule("conv_stem").padding = (0, 0)  # type: ignore[assignment]
    maps: list[Tensor] = network.forward_intermediates(  # type: ignore[operator]
        (images - 0.5) / 0.5, indices=[1, 2, 3, 4], intermediates_only=True
    )
    return maps


def differences(ours: list[Tensor], theirs: list[Tensor]) -> list[float]:
    assert [each.shape for each in ours] == [each.shape for each in theirs]
    return [(one - other).abs().max().item() for one, other in zip(ours, theirs, strict=True)]


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(2), dtype=torch.double)


@pytest.mark.parametrize("eps", [1e-5, 1e-3])  # torch's and timm's; Ultralytics'
@pytest.mark.parametrize("name", WIDTHS)
def test_it_computes_what_timm_computes_for_an_image_with_a_black_border(name: str, eps: float, images: Tensor) -> None:
    theirs, ours = timm_network(name), built_network(WIDTHS[name], eps)
    ours.load_state_dict(convert(theirs.state_dict(), ours))
    with torch.inference_mode():
        maps = ours(images)
        assert max(differences(maps, timm_maps(theirs, images, padded=0.0))) < 1e-9
    # The images do reach the last map, and few channels are stuck at a bound of ReLU6.
    assert all(each.std(dim=(2, 3)).median() > 1e-2 for each in maps)


def test_plain_timm_differs_only_where_it_sees_the_top_or_the_left_border(images: Tensor) -> None:
    """The stem pads four sides, but at stride 2 and an even size its windows reach two of them only."""
    theirs, ours = timm_network("mobilenetv1_100"), built_network(1.0, 1e-3)
    ours.load_state_dict(convert(theirs.state_dict(), ours))
    with torch.inference_mode():
        one, other = ours(images)[0], timm_maps(theirs, images)[0]
    assert (one - other).abs().max() > 0.1
    assert (one - other)[..., 3:, 3:].abs().max() < 1e-9


def test_the_module_that_a_built_model_holds_takes_them_too(images: Tensor) -> None:
    model = bridge.build_model(model_dict("mnv1_m", 2, bridge.stock_architecture())).eval().double()
    backbone, theirs = model.model[0], timm_network("mobilenetv1_100")
    backbone.load_state_dict(convert(theirs.state_dict(), backbone))
    with torch.inference_mode():
        maps = backbone(images)[-4:]
        assert max(differences(maps, timm_maps(theirs, images, padded=0.0))) < 1e-9


def test_weights_and_network_are_left_as_they_were() -> None:
    theirs, ours = timm_network("mobilenetv1_100").state_dict(), built_network(1.0, 1e-3)
    weights = {name: tensor.clone() for name, tensor in theirs.items()}
    before = bridge.weights_digest(ours)
    converted = convert(theirs, ours)
    assert bridge.weights_digest(ours) == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in theirs.items())
    assert {name: tensor.dtype for name, tensor in converted.items()} == {
        name: tensor.dtype for name, tensor in ours.state_dict().items()
    }


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mobilenetv1_125", r"conv_stem.weight is \(40, 3, 3, 3\) and .* \(32, 3, 3, 3\): .* are for width 1.25"),
        ("mobilenetv2_100", r"blocks.0.0.conv_pw.weight is .* are not those of a MobileNetV1"),
        ("resnet10t", "no tensor 'conv_stem.weight'"),
    ],
)
def test_weights_of_another_network_are_refused(name: str, said: str) -> None:
    weights = timm.create_model(name, pretrained=False).state_dict()
    with pytest.raises(WeightsError, match=said) as refused:
        convert(weights, MobileNetV1(1.0))
    assert isinstance(refused.value, UserError)


def tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.mark.parametrize("eps", [1e-5, 1e-3])
def test_padded_like_keras_it_computes_what_keras_does_for_an_image_with_a_black_border(
    eps: float, images: Tensor
) -> None:
    arrays, ours = keras_arrays(0.25), built_network(0.25, eps, "same")
    ours.load_state_dict(convert(tensors(arrays), ours))
    with torch.inference_mode():
        maps = ours(images)
        assert max(differences(maps, keras_maps(arrays, images, border=0.0))) < 1e-9
    assert all(each.std(dim=(2, 3)).median() > 1e-2 for each in maps)


def test_keras_grey_border_reaches_in_from_the_right_and_the_bottom_only(images: Tensor) -> None:
    arrays, ours = keras_arrays(0.25), built_network(0.25, 1e-3, "same")
    ours.load_state_dict(convert(tensors(arrays), ours))
    with torch.inference_mode():
        one, other = ours(images)[0], keras_maps(arrays, images)[0]
    assert (one - other).abs().max() > 0.1
    assert (one - other)[..., :-3, :-3].abs().max() < 1e-9


@pytest.mark.parametrize(("index", "stride", "reached"), [(0, 4, 3), (1, 8, 3)])  # cells that the border reaches
def test_with_torchs_padding_a_map_is_that_of_keras_for_a_moved_image(index: int, stride: int, reached: int) -> None:
    images = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(3), dtype=torch.double)
    moved = functional.pad(images, (stride - 1, 0, stride - 1, 0))[..., :128, :128]
    arrays, ours = keras_arrays(0.25), built_network(0.25, 1e-3)
    ours.load_state_dict(convert(tensors(arrays), ours))
    inner = (..., slice(reached, -reached), slice(reached, -reached))
    with torch.inference_mode():
        one, other = ours(images)[index][inner], keras_maps(arrays, moved)[index][inner]
        assert (one - keras_maps(arrays, images)[index][inner]).abs().max() > 0.1
    assert (one - other).abs().max() < 1e-9


def test_weights_of_keras_are_left_as_they_were() -> None:
    theirs, ours = tensors(keras_arrays(0.25)), MobileNetV1(0.25)
    convert(theirs, ours)
    assert all(torch.equal(theirs[name], each) for name, each in tensors(keras_arrays(0.25)).items())


@pytest.mark.parametrize(
    # "Total params" in `summary()` of Keras' MobileNet(include_top=False), with the norms' mean and variance.
    ("width", "values"),
    [(0.25, 218_544), (0.5, 829_536), (0.75, 1_832_976), (1.0, 3_228_864)],
)
def test_every_published_width_of_keras_has_as_many_values_as_the_network_here(width: float, values: int) -> None:
    with torch.device("meta"):
        state = MobileNetV1(width).state_dict()
    assert sum(math.prod(shape) for shape in keras_shapes(width).values()) == values
    assert sum(each.numel() for name, each in state.items() if not name.endswith("num_batches_tracked")) == values


def test_the_shapes_are_those_of_keras() -> None:
    assert keras_shapes(0.25) == {name: array.shape for name, array in keras_arrays(0.25).items()}


def test_a_width_of_keras_that_does_not_fit_is_named() -> None:
    with pytest.raises(WeightsError, match=r"conv1/kernel is \(16, 3, 3, 3\) .* \(8, 3, 3, 3\): .* for width 0\.5"):
        convert(tensors(keras_arrays(0.5)), MobileNetV1(0.25))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(value: float) -> None:
    weights = tensors(keras_arrays(0.25))
    weights["conv_pw_7_bn/moving_variance"][3] = value
    with pytest.raises(WeightsError, match="conv_pw_7_bn/moving_variance holds NaN or infinity"):
        convert(weights, MobileNetV1(0.25))
