"""FLOPs and bytes of networks that can be counted by hand, and of ones whose cost is published."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.roofline import Cost, cost, peak_of
from export.__main__ import find_spec, weights_of
from export.precisions import as_fp16, simplified
from serve.backends.front import with_front


def network(operator: str, weights: tuple[int, ...], taken: list[int | str], **attributes: object) -> onnx.ModelProto:
    """Return one operator and a Relu behind it."""
    stored = numpy_helper.from_array(np.zeros(weights, np.float32), "w")
    nodes = [helper.make_node(operator, ["x", "w"], ["made"], **attributes), helper.make_node("Relu", ["made"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, taken)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [stored],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_convolution_is_counted_as_by_hand(batch: int) -> None:
    model = network("Conv", (16, 3, 3, 3), ["batch", 3, 32, 32], strides=[2, 2], pads=[1, 1, 1, 1])
    # 16 x 16 places, 16 filters of 3 x 3 x 3, two FLOPs each; in 3 x 32 x 32, out 16 x 16 x 16, floats
    assert cost(model, (batch, 3, 32, 32)) == Cost(2 * 16 * 16 * 16 * 27, 4 * (3072 + 4096), 4 * 16 * 27)


def test_groups_of_a_convolution_are_not_counted_twice() -> None:
    model = network("Conv", (8, 1, 3, 3), ["batch", 8, 10, 10], group=8, pads=[1, 1, 1, 1])
    assert cost(model, (1, 8, 10, 10)).flops == 2 * 8 * 100 * 9


def test_a_transposed_convolution_and_a_product_are_counted_too() -> None:
    model = network("ConvTranspose", (4, 6, 2, 2), ["batch", 4, 5, 5], strides=[2, 2])
    assert cost(model, (1, 4, 5, 5)).flops == 2 * 4 * 25 * 6 * 4
    assert cost(network("MatMul", (7, 11), ["batch", 7]), (3, 7)).flops == 2 * 7 * 11


def test_the_published_cost_of_a_default_model_is_found() -> None:
    """EfficientNet-Lite0 at 224 pixels: 407 million multiply-adds (its authors)."""
    spec = find_spec("labels/efficientnet_lite0")
    model = onnx.load_from_string(with_front(spec, weights_of(spec)))
    assert cost(model, (1, 224, 224, 3)).flops / 2 == pytest.approx(407e6, rel=0.06)


def test_half_precision_halves_the_bytes_and_not_the_flops() -> None:
    spec = find_spec("moderation/nsfwjs_mobilenet_v2")
    plain = simplified(weights_of(spec))
    shape = (1, 224, 224, 3)
    whole, half = cost(plain, shape), cost(as_fp16(plain), shape)
    assert half.flops == pytest.approx(whole.flops)
    assert half.weight_bytes == pytest.approx(whole.weight_bytes / 2, rel=0.1)
    assert half.activation_bytes == pytest.approx(whole.activation_bytes / 2, rel=0.1)


def test_weights_that_are_stored_in_half_precision_count_as_what_they_are_cast_to() -> None:
    spec = find_spec("labels/efficientnet_lite0")
    counted = cost(onnx.load_from_string(with_front(spec, weights_of(spec))), (8, 224, 224, 3))
    assert counted.weight_bytes == pytest.approx(2 * spec.size_bytes, rel=0.1)


def test_the_bound_is_whichever_is_slower() -> None:
    one = Cost(flops=1e9, activation_bytes=1e6, weight_bytes=8e6)
    assert one.images_per_second(1, flops_per_second=1e12, bytes_per_second=1e12) == pytest.approx(1000)
    assert one.images_per_second(1, flops_per_second=1e15, bytes_per_second=9e9) == pytest.approx(1000)
    assert one.images_per_second(8, flops_per_second=1e15, bytes_per_second=9e9) == pytest.approx(4500)


@pytest.mark.parametrize(
    ("name", "gigabytes", "fp32_as"),
    [
        ("Tesla T4", 320, "fp32"),  # Turing has no TF32
        ("NVIDIA A10G", 600, "tf32"),
        ("NVIDIA L4", 300, "tf32"),
        ("NVIDIA L40S", 864, "tf32"),
        ("NVIDIA A100-SXM4-40GB", 1555, "tf32"),
        ("NVIDIA A100-SXM4-80GB", 2039, "tf32"),
        ("NVIDIA GeForce RTX 4090", 1008, "tf32"),
        ("NVIDIA H100 PCIe", 2000, "tf32"),
        ("NVIDIA H100 80GB HBM3", 3350, "tf32"),
        ("NVIDIA H200", 4800, "tf32"),
    ],
)
def test_peaks_are_those_of_the_card(name: str, gigabytes: int, fp32_as: str) -> None:
    peak = peak_of(name)
    assert peak is not None
    assert peak.bytes_per_second == pytest.approx(gigabytes * 1e9)
    assert (peak.arithmetic("fp32"), peak.arithmetic("fp16")) == (fp32_as, "fp16")


@pytest.mark.parametrize(
    "name", ["a card to come", "NVIDIA H100 NVL", "NVIDIA A100 80GB PCIe", "NVIDIA GeForce RTX 4090 Laptop GPU"]
)
def test_nothing_is_said_of_a_card_that_is_not_known_or_only_named_like_one(name: str) -> None:
    assert peak_of(name) is None
