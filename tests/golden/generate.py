"""Write every golden result anew: `make golden`, then read the diff before you commit it."""

from __future__ import annotations

from serve.pipeline import Analyzer
from serve.settings import load_settings
from tests.golden.cases import CASES, FOLDER, golden, text


def main() -> None:
    """Analyze every case and write its result."""
    FOLDER.mkdir(exist_ok=True)
    for case in CASES:
        with Analyzer(load_settings(**case.settings)) as analyzer:
            case.path.write_text(text(golden(analyzer.analyze(case.media))), "utf-8")
    stale = set(FOLDER.glob("*.json")) - {case.path for case in CASES}
    for path in stale:
        path.unlink()


if __name__ == "__main__":
    main()
