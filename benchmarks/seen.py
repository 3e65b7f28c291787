"""What the models of one domain say of the frames of a file, before the domain makes anything of it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from model_zoo.values import Prediction
from serve.decode.reading import read
from serve.media import open_media
from serve.pipeline import Analyzer


def predictions(analyzer: Analyzer, path: Path) -> dict[str, list[Prediction]]:
    """Return the predictions of every role of the analyzer's one domain."""
    settings, watching = analyzer.settings, analyzer.watching()
    found: dict[str, list[Prediction]] = defaultdict(list)
    wanted = [wanted for wanted, _ in watching]
    with read(
        open_media(path, settings.limits()), wanted, backend=settings.decoder, threads=settings.threads
    ) as reading:
        for index, frames in reading:
            watcher = watching[index][1]
            found[watcher.role].extend(watcher.predict(frames))
    return found
