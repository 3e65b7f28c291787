# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy", "onnx", "pip==26.3"]
# ///
"""Letters of other scripts that look like Latin ones, by Unicode's list of confusable characters (UTS 39)."""

from __future__ import annotations

import json
import string
import unicodedata
from pathlib import Path

from export.packages import wheel_member

PACKAGE, VERSION, MEMBER = "confusable-homoglyphs", "3.3.1", "confusable_homoglyphs/confusables.json"
SHA256 = "2d8b4774cd9dc6f233a18681bc00423ae270037437f276fc6a8b80630941fe7d"
LICENCE = f"""lookalikes.txt is drawn from confusables.txt of Unicode Technical Standard 39.
Copyright 1991-2024 Unicode, Inc., Unicode License v3 (https://www.unicode.org/license.txt).

Route: {MEMBER} of the PyPI package {PACKAGE} {VERSION} (MIT, copyright 2016-2018 Victor Felder, 2024 Elena Grandi),
of which export/recipes/lookalikes.py keeps the letters that look like one Latin letter.
"""


def main() -> None:
    """Fetch the list and write one letter a line, and what it looks like in small letters."""
    alike = json.loads(wheel_member(PACKAGE, VERSION, MEMBER, SHA256))
    lines = [
        f"{letter} {''.join(latin)}\n"
        for letter, others in sorted(alike.items())
        if _is_foreign(letter)
        and (latin := sorted({other["c"].lower() for other in others if other["c"] in [*string.ascii_letters]}))
    ]
    folder = Path("model_zoo/toxicity")
    (folder / "lookalikes.txt").write_text("".join(lines), "utf-8")
    (folder / "lookalikes.LICENSE.txt").write_text(LICENCE, "utf-8")


def _is_foreign(letter: str) -> bool:
    """Tell whether a character is one letter that normalization leaves alone, and no Latin one."""
    one = len(letter) == 1 and not letter.isascii() and unicodedata.category(letter).startswith("L")
    return one and unicodedata.normalize("NFKC", letter) == letter


if __name__ == "__main__":
    main()
