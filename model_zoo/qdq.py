"""INT8 files are run as they are written: ONNX Runtime would make 32-bit integers of their biases before anything else.

In float16 the scale of such a bias, that of the input times that of the weights, is below the least number there is,
and TensorRT's parser refuses them.
"""

from __future__ import annotations

from typing import Any

MARK = "reelwarden_qdq_as_written"


def mark(model: Any) -> None:
    """Mark an ONNX model, in its metadata, as one whose Q/DQ nodes are to stay as they are."""
    entry = model.metadata_props.add()
    entry.key, entry.value = MARK, "true"


def run_as_written(options: Any, content: bytes) -> None:
    """Set ONNX Runtime's session options for a serialized model; nothing where it is not marked."""
    if MARK.encode() in content:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
