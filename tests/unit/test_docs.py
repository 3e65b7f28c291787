"""The docs say what is: links lead somewhere, generated pages are fresh, commands exist."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
import typer.main

from model_zoo.catalog import catalog
from model_zoo.domains import DOMAINS
from model_zoo.licences import accepts_licence
from serve.cli import app
from serve.drivers import (
    DEFAULT_DRIVER,
    INFERENCE_AMI,
    INFERENCE_DRIVER,
    LEAST_DRIVER,
    TRANSFORM_AMI,
    TRANSFORM_DRIVER,
)
from tests.conftest import ROOT
from tools import (
    benchmarks_page,
    decoders_page,
    export_page,
    formats_page,
    images_page,
    policy_page,
    readme_figures,
    settings_page,
    tensorrt_page,
)

PAGES = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("model_zoo/*/README.md")])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", path.read_text("utf-8"))
    missing = [link for link in links if not (path.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize(
    "module",
    [
        settings_page,
        benchmarks_page,
        policy_page,
        formats_page,
        images_page,
        tensorrt_page,
        export_page,
        readme_figures,
    ],
    ids=lambda module: module.PAGE.name,
)
def test_a_generated_page_is_what_make_docs_writes(module: ModuleType) -> None:
    assert module.PAGE.read_text("utf-8") == module.page()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_page_was_left_half_merged(path: Path) -> None:
    assert not re.search(r"^(<<<<<<<|=======|>>>>>>>)( |$)", path.read_text("utf-8"), re.MULTILINE)


@pytest.mark.media
def test_the_table_of_decoders_is_what_is_decided_for_the_clips() -> None:
    assert decoders_page.PAGE.read_text("utf-8") == decoders_page.page()


def test_pages_name_the_drivers_and_hosts_that_the_code_asks_for() -> None:
    pages = {path.name: path.read_text("utf-8") for path in PAGES}
    hosts = {host for text in pages.values() for host in re.findall(r"al2\w*-ami-sagemaker-[\w-]+", text)}
    assert hosts == {INFERENCE_AMI, TRANSFORM_AMI}
    assert f"`InferenceAmiVersion: {INFERENCE_AMI}` ({INFERENCE_DRIVER})" in pages["shipping.md"]
    assert f"`TransformAmiVersion: {TRANSFORM_AMI}` ({TRANSFORM_DRIVER})" in pages["shipping.md"]
    assert f"older than {LEAST_DRIVER}," in pages["shipping.md"]
    assert f"CUDA 12 needs {LEAST_DRIVER} or newer" in pages["doctor.md"]
    assert f"driver {DEFAULT_DRIVER} is SageMaker's default" in pages["doctor.md"]
    assert re.search(rf"drivers\s+from {LEAST_DRIVER} on", pages["images.md"])


def test_the_sample_of_the_doctor_counts_the_models_that_there_are() -> None:
    models = [spec for spec in catalog() if spec.default and accepts_licence(spec, "permissive")]
    said = f"{len(models)} of {', '.join(domain.name for domain in DOMAINS)}"
    assert f"models          {said}, every sha256 right" in (ROOT / "docs" / "doctor.md").read_text("utf-8")


def test_every_command_in_the_docs_exists() -> None:
    root = typer.main.get_command(app)
    groups = {name: command.commands for name, command in root.commands.items() if hasattr(command, "commands")}
    known = set(root.commands) | {f"{name} {below}" for name, commands in groups.items() for below in commands}
    command = re.compile(rf"^(?:\$ )?reelwarden ((?:{'|'.join(groups)}) \w+|\w+)", re.MULTILINE)
    said = {words for path in PAGES for words in command.findall(path.read_text("utf-8"))}
    assert said
    assert said <= known


def test_every_option_of_a_command_in_the_docs_exists() -> None:
    root = typer.main.get_command(app)
    said = re.compile(r"^(?:\$ )?reelwarden (\w+)(?: (\w+))?(.*(?:\n {8,}.*)*)", re.MULTILINE)
    unknown = []
    for path in PAGES:
        for name, below, rest in said.findall(path.read_text("utf-8")):
            command = root.commands[name]
            command = getattr(command, "commands", {}).get(below, command)
            known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
            given = re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest.split("#")[0])
            unknown += [f"{path.name}: {name} {flag}" for flag in given if flag not in known | {"--help"}]
    assert unknown == []
