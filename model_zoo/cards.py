"""Model cards: what a manifest entry says, for people, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from model_zoo.errors import ManifestError
from model_zoo.manifest import Input, ModelSpec, Quality, SoundInput, TextInput, WeightFile

MEASURED = "measured.json"  # beside the manifest: model name -> list of Quality
_MEASURED_FILE = TypeAdapter(dict[str, tuple[Quality, ...]])
_SOME_LABELS = 20


def measured_quality(spec: ModelSpec) -> tuple[Quality, ...]:
    """Return what was measured here of a model; nothing where no measurement was written down."""
    path = spec.manifest.parent / MEASURED
    if not path.is_file():
        return ()
    try:
        return _MEASURED_FILE.validate_json(path.read_bytes()).get(spec.name, ())
    except ValidationError as error:
        first = error.errors()[0]
        raise ManifestError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def card(spec: ModelSpec) -> str:
    """Return the model card as Markdown."""
    sections = [
        [f"# {spec.name}", "", spec.title],
        _facts(spec),
        _list("Source, in order of preference", _source_lines(spec)),
        _further_files(spec),
        _conversion(spec),
        _list(
            "Input",
            [
                *(_input_lines(spec.input) if spec.input else []),
                *(_sound_lines(spec.sound) if spec.sound else []),
                *(_text_lines(spec.text) if spec.text else []),
            ],
        ),
        _quality("Quality, as upstream says", spec.upstream_quality, "Upstream publishes no figure."),
        _quality("Quality, measured here", measured_quality(spec), "Not measured."),
        _coverage(spec),
        _labels(spec),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _facts(spec: ModelSpec) -> list[str]:
    licence = spec.licence
    facts = {
        "Fills": f"{spec.domain}.{spec.role}" + (", by default" if spec.default else ", when it is asked for"),
        "File": f"{spec.file_name}, {spec.format}, {spec.size_bytes / 1e6:.1f} MB",
        "sha256": f"`{spec.sha256}`",
        "Licence of the weights": licence.weights,
        "Licence of the code": licence.code,
        "Commercial use": "yes" if licence.commercial else "no",
        "Note": licence.note,
    }
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items() if value)]


def _source_lines(file: WeightFile) -> list[str]:
    return [" + ".join(f"`{part}`" for part in source) for source in file.sources]


def _further_files(spec: ModelSpec) -> list[str]:
    lines = [
        f"{file.file_name}, {file.size_bytes / 1e6:.1f} MB, sha256 `{file.sha256}`, from "
        + " or ".join(_source_lines(file))
        for file in spec.further_files
    ]
    return _list("Further files", lines) if lines else []


def _conversion(spec: ModelSpec) -> list[str]:
    made = spec.conversion
    if made is None:
        return []
    return _list(
        "Conversion",
        [
            f"made by `{made.recipe}` from `{made.source}`",
            f"sha256 of what it was made from: `{made.source_sha256}`",
            f"largest difference from {made.parity_against}: {made.parity_max_abs:g}",
        ],
    )


def _input_lines(taken: Input) -> list[str]:
    fit = {
        "stretch": "squeezed, whatever its aspect ratio",
        "letterbox": f"fitted in whole, {taken.anchor.replace('_', ' ')}, the rest filled with grey {taken.pad}",
        "cover": "filled, what hangs over is cut",
    }[taken.fit]
    width, height = (str(side or "any") for side in (taken.width, taken.height))
    lines = [
        f"`{taken.name}`: {taken.dtype} {taken.layout} {taken.colour}, {width} x {height} pixels",
        f"the picture is {fit}; resized by {taken.interpolation}",
    ]
    if taken.crop_share < 1:
        lines.append(f"only the central {taken.crop_share:g} of both sides is used")
    if taken.dtype == "float32":
        lines.append(f"value = (pixel - {list(taken.mean)}) / {list(taken.std)}, pixels in 0..255")
    return lines


def _sound_lines(taken: SoundInput) -> list[str]:
    return [
        f"`{taken.name}`: float32, mono, -1..1, {taken.sample_rate} samples per second",
        f"windows of {taken.window_seconds:g} s ({taken.samples} samples), one every {taken.hop_seconds:g} s",
    ]


def _text_lines(taken: TextInput) -> list[str]:
    pieces = {"words": "whole words", "wordpiece": "pieces of words (WordPiece)", "json": "tokens"}[taken.tokenizer]
    return [
        f"`{taken.name}`: int64, numbers of at most {taken.most_tokens} {pieces} by `{taken.vocabulary_file}`",
        f"languages: {', '.join(taken.languages) or 'any'}",
    ]


def _quality(title: str, figures: Sequence[Quality], without: str) -> list[str]:
    if not figures:
        return [f"## {title}", "", without]
    values = ["" if figure.value is None else f"{figure.value:g}" for figure in figures]
    rows = [
        f"| {figure.metric} | {value} | {figure.dataset} | {figure.source} |"
        for figure, value in zip(figures, values, strict=True)
    ]
    return [f"## {title}", "", "| metric | value | data | source |", "|---|---|---|---|", *rows]


def _coverage(spec: ModelSpec) -> list[str]:
    lines = [
        f"{entry.label}: {entry.grade}" + (f" ({entry.reason})" if entry.reason else "") for entry in spec.coverage
    ]
    return _list("Report labels it gives evidence for", lines) if lines else []


def _labels(spec: ModelSpec) -> list[str]:
    if not spec.labels:
        return []
    shown = ", ".join(spec.labels[:_SOME_LABELS])
    more = len(spec.labels) - _SOME_LABELS
    return ["## Labels of the network", "", shown + (f", and {more} more" if more > 0 else "")]


def _list(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "", *(f"- {line}" for line in lines)]
