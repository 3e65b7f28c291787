"""The docs say what is: links lead somewhere, generated pages are fresh, commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from serve.cli import app
from tests.conftest import ROOT
from tools.settings_page import PAGE, page

PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("model_zoo/*/README.md")])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text("utf-8"))
    missing = [link for link in links if not (path.parent / link).exists()]
    assert not missing


def test_the_settings_page_is_what_make_docs_writes() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_every_command_in_the_docs_exists() -> None:
    root = typer.main.get_command(app)
    known = set(root.commands)
    known |= {f"models {name}" for name in root.commands["models"].commands}
    said = {
        " ".join(words)
        for path in PAGES
        for words in re.findall(r"^(?:\$ )?reelwarden (models|\w+)(?: (list|pull|verify|card|pack))?", path.read_text("utf-8"), re.M)
        for words in [[word for word in words if word]]
    }
    assert said - {"models"} <= known
