"""Take a request in: what kind of body it is, where its bytes go, and what is asked of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Literal

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from serve.pictures import picture_demuxer
from serve.shown import shown
from serve.texts import TEXT_SUFFIXES, is_text
from serve.web.options import Options, options_of
from serve.web.refusals import EmptyBodyError, UnknownTypeError, UnreadableRequestError
from serve.web.tracing import ATTRIBUTES
from serve.web.uploads import SUFFIXES, Left, check_size, patient

Kind = Literal["media", "json", "lines", "form"]

JSON = "application/json"
JSON_LINES = "application/jsonlines"
_LINES = {JSON_LINES, "application/jsonl", "application/x-jsonlines", "application/x-ndjson"}
_FORM = "multipart/form-data"
# said by clients that do not know better, curl among them: the bytes decide
_UNSAID = {None, "application/octet-stream", "application/x-www-form-urlencoded", "binary/octet-stream"}
_FAMILIES = ("audio/", "image/", "video/")
_OTHER_MEDIA = {"text/plain", "application/mp4", "application/ogg", "application/x-image"}  # the last is SageMaker's
_QUICK = ("image/", "text/", "application/x-image")
_MOST_NAME_LETTERS = 200


def type_of(request: Request) -> str | None:
    """Return the media type without its parameters, in lower case; None where none is said, or an unknown one is."""
    said, _ = parse_options_header(request.headers.get("content-type") or "")
    name = said.decode("latin-1").strip().lower() or None
    return None if name in _UNSAID else name


def kind_of(media_type: str | None) -> Kind:
    """Return which kind of body it is; raises UnknownTypeError."""
    if media_type is None or media_type.startswith(_FAMILIES) or media_type in _OTHER_MEDIA:
        return "media"
    if media_type == JSON:
        return "json"
    if media_type in _LINES:
        return "lines"
    if media_type == _FORM:
        return "form"
    raise UnknownTypeError(
        f"Content-Type {shown(media_type[:100])}: send video/*, audio/*, image/*, text/plain, application/json, "
        f"{JSON_LINES} or {_FORM}, or leave it out"
    )


def is_quick(media_type: str | None) -> bool:
    """Say whether a type promises work of milliseconds."""
    return media_type is not None and media_type.startswith(_QUICK)


def is_quick_file(path: Path) -> bool:
    """Say whether a file is a picture or a text by its bytes; raises UnsupportedMediaError as opening it would."""
    with path.open("rb") as file:
        return is_text(path) or picture_demuxer(path.name, file) not in (None, "apng")


def wants_page(request: Request) -> bool:
    """Say whether a browser asks, which names HTML before anything else."""
    return request.headers.get("accept", "").lstrip().lower().startswith("text/html")


def check_length(request: Request, most_bytes: int) -> None:
    """Raise TooLargeError for a body that says it is too long, before a byte of it is read."""
    said = request.headers.get("content-length", "")
    check_size(int(said) if said.isdecimal() else 0, most_bytes)


def options_said(request: Request) -> Options:
    """Return what the query and the custom attributes ask for; raises UsageError."""
    return options_of(request.query_params, request.headers.get(ATTRIBUTES))


class _Form(MultiPartParser):
    """Writes the file of a form where it is analyzed from, and notes whether the form came to its end.

    What a part that is cut off holds is left out without a word.
    """

    def __init__(self, request: Request, chunks: AsyncGenerator[bytes, None], path: Path) -> None:
        """Take one file, to be written to `path`, and a field for every option."""
        super().__init__(request.headers, chunks, max_files=1, max_fields=len(Options.model_fields))
        self.path = path
        self.ended = False
        self.file: UploadFile | None = None

    def on_headers_finished(self) -> None:
        """Put the file in the place of the spooled one, which would have to be copied while it takes up as much."""
        super().on_headers_finished()
        upload = self._current_part.file
        if upload is not None:
            upload.file.close()  # nothing is in it yet
            self.path = self.path.with_suffix(_text_suffix(upload))
            upload.file = self.path.open("wb")
            self.file = upload

    def on_end(self) -> None:
        """Note the last boundary."""
        self.ended = True


async def save_form(request: Request, path: Path, most_bytes: int, left_seconds: Left) -> tuple[Path, str, Options]:
    """Write the file of a browser's form to `path`; return where it is, its name and what the other fields ask for.

    A file of text is known by the end of its name, or by its type, and `path` gets the same end; bytes tell the rest.
    """
    parser = _Form(request, _within(request.stream(), most_bytes, left_seconds), path)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise UnreadableRequestError(f"this is no form with one file: {shown(str(error))}") from None
    finally:
        if parser.file:
            parser.file.file.close()
    if not parser.ended:
        raise UnreadableRequestError("the form is cut off: its last boundary is missing; send it again")
    if not parser.file or not parser.file.size:
        raise EmptyBodyError("the form has no file, or one of 0 bytes; choose one")
    fields = {name: value for name, value in form.items() if isinstance(value, str) and value}
    name = shown((parser.file.filename or parser.path.name).replace("\\", "/").split("/")[-1])[-_MOST_NAME_LETTERS:]
    return parser.path, name, options_of(dict(request.query_params) | fields, request.headers.get(ATTRIBUTES))


def _text_suffix(file: UploadFile) -> str:
    suffix = Path(file.filename or "").suffix.lower()
    media_type = (file.content_type or "").partition(";")[0].strip().lower()
    found = suffix if suffix else SUFFIXES.get(media_type, "")
    return found if found in TEXT_SUFFIXES else ""


async def _within(chunks: AsyncIterator[bytes], most_bytes: int, left_seconds: Left) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in patient(chunks, left_seconds):
        size += len(chunk)
        check_size(size, most_bytes)
        yield chunk
