"""The alphabet of PP-OCRv4's recogniser, out of the metadata of its ONNX file.

PYTHONPATH=. uv run export/recipes/ppocr_charset.py
"""

from __future__ import annotations

from pathlib import Path

import onnx

from export.packages import wheel_member

MODEL = "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
SHA256 = "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b"
CHARSET = Path("model_zoo/text/ppocr_charset.txt")
VISIBLE = {"\u3000": "\u2420"}  # a line must not be blank: the wide space is written as the symbol for a space


def main() -> None:
    """Write one character a line, in the order of the network's classes; its first, blank, and last, a space, apart."""
    model = onnx.load_model_from_string(wheel_member("rapidocr-onnxruntime", "1.4.4", MODEL, SHA256))
    (text,) = (entry.value for entry in model.metadata_props if entry.key == "character")
    characters = [VISIBLE.get(character, character) for character in text.split("\n")]
    CHARSET.write_text("\n".join(characters) + "\n", "utf-8")
    print(f"{CHARSET}: {len(characters)} characters")


if __name__ == "__main__":
    main()
