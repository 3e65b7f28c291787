"""What gpu_check measures of models: images a second beside what the session does bare, and what the card allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from benchmarks.roofline import Cost, Peak, cost
from export.__main__ import weights_of
from export.precisions import as_fp16, simplified
from model_zoo.errors import ReelwardenError
from model_zoo.manifest import ModelSpec
from model_zoo.values import OnDevice
from serve.backends.front import with_front
from serve.backends.onnx_cuda import OnnxCudaModel, Target

Lay = Callable[[np.ndarray], OnDevice]  # rows from the host -> the same rows in the device's memory


def inference_rates(
    specs: Sequence[ModelSpec],
    target: Target,
    folder: Path,
    batches: Sequence[int],
    lay: Lay,
    peak: Peak | None,
    seconds: float = 0.5,
) -> list[dict[str, Any]]:
    """Run every model at every size of batch, in fp32 and fp16; one that fails does not stop the others."""
    found: list[dict[str, Any]] = []
    for spec in fixed_models(specs):
        for precision in ("fp32", "fp16"):
            named = {"model": spec.name, "precision": precision}
            try:
                path = _file(spec, precision, folder)
                counted = cost(onnx.load_from_string(with_front(spec, path)), (1, *_sides(spec)))
                rates = _rates(spec, path, target, batches, lay, seconds)
                found.extend(
                    with_shares(named | row | _roofline(counted, peak, precision, row["batch"])) for row in rates
                )
            except ReelwardenError as error:
                found.append(named | {"failed": str(error)})
    return found


def fixed_models(specs: Sequence[ModelSpec]) -> list[ModelSpec]:
    """Return those that take pictures of one size."""
    return [spec for spec in specs if spec.input and spec.input.width and spec.input.height]


def noise_rows(spec: ModelSpec, batch: int) -> np.ndarray:
    """Return so many pictures of noise, the same ones each time."""
    return np.random.default_rng(7).integers(0, 256, (batch, *_sides(spec)), np.uint8)


def with_shares(row: dict[str, Any]) -> dict[str, Any]:
    """Add how near a rate comes to what the session does bare, and to the roofline where that is known."""
    rate = row["rows_per_second"]
    shares = {"share_of_bare": round(rate / row["bare_rows_per_second"], 3)}
    if "roofline_rows_per_second" in row:
        shares["share_of_roofline"] = round(rate / row["roofline_rows_per_second"], 3)
    return row | shares


def with_most(spec: ModelSpec, most: int) -> ModelSpec:
    """Return the same model with so many rows in a batch at most."""
    return spec.model_copy(update={"batch": spec.batch.model_copy(update={"most": most})})


def _rates(
    spec: ModelSpec, path: Path, target: Target, batches: Sequence[int], lay: Lay, seconds: float
) -> Iterator[dict[str, Any]]:
    """Yield the rates of one session at each size of batch, the largest last: it may find the memory full."""
    model = OnnxCudaModel(with_most(spec, max(batches)), path, target)
    for batch in sorted(batches):
        yield {"batch": batch, **_rate(spec, model, target, batch, lay, seconds), "notes": model.notes}


def _rate(
    spec: ModelSpec, model: OnnxCudaModel, target: Target, batch: int, lay: Lay, seconds: float
) -> dict[str, float]:
    name, rows = spec.sees().name, noise_rows(spec, batch)
    there = lay(rows)
    there.wait(None)
    session: onnxruntime.InferenceSession = model._session
    binding = session.io_binding()
    binding.bind_input(name, target.memory, 0, np.uint8, rows.shape, there.address)
    for output in session.get_outputs():
        binding.bind_output(output.name, target.memory, 0)
    rates = {
        "rows_per_second": lambda: model.run({name: there}),
        "rows_from_the_host_per_second": lambda: model.run({name: rows}),
        "bare_rows_per_second": lambda: session.run_with_iobinding(binding),
    }
    return {what: round(batch * repeat(call, seconds), 1) for what, call in rates.items()}


def _roofline(counted: Cost, peak: Peak | None, precision: str, batch: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "gigaflops_a_row": round(counted.flops / 1e9, 3),
        "megabytes_a_row": round((counted.activation_bytes + counted.weight_bytes / batch) / 1e6, 3),
    }
    if peak is not None:
        arithmetic = peak.arithmetic(precision)
        most = counted.images_per_second(batch, peak.flops[arithmetic], peak.bytes_per_second)
        found |= {"roofline_rows_per_second": round(most, 1), "roofline_arithmetic": arithmetic}
    return found


def out_of_memory(spec: ModelSpec, target: Target) -> dict[str, Any]:
    """Give a model too little memory for its batch; it must answer all the same, and say so."""
    model = OnnxCudaModel(spec, weights_of(spec), target)
    rows = np.zeros((spec.batch.most, *_sides(spec)), np.uint8)
    answered = len(next(iter(model.run({spec.sees().name: rows}).values())))
    return {"rows": len(rows), "answered": answered, "passed": answered == len(rows), "said": model.notes}


def _sides(spec: ModelSpec) -> tuple[int, int, int]:
    taken = spec.sees()
    return taken.height, taken.width, 3


def _file(spec: ModelSpec, precision: str, folder: Path) -> Path:
    if precision == "fp32":
        return weights_of(spec)
    path = folder / f"{spec.name}.fp16.onnx"
    if not path.exists():
        path.write_bytes(as_fp16(simplified(weights_of(spec))).SerializeToString())
    return path


def repeat(call: Callable[[], Any], seconds: float) -> float:
    """Return calls a second, after two that are not counted."""
    call()
    call()
    done, start = 0, time.perf_counter()
    while done < 3 or time.perf_counter() - start < seconds:
        call()
        done += 1
    return done / (time.perf_counter() - start)
