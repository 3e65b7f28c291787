"""Mean average precision of objects: objects/annotations.json as COCO writes it, pictures in objects/images/."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError

from model_zoo.errors import UsageError
from model_zoo.metrics.detection import Found, Picture, Truth, mean_average_precision
from model_zoo.report import DomainPart
from serve.evaluate.task import Figure, Task, analyzer_of, counted, model_in, part_of
from serve.settings import Settings

DOMAIN, ROLE = "objects", "detector"
ANNOTATIONS, IMAGES = "annotations.json", "images"


class _Image(BaseModel):
    id: int
    file_name: str
    width: int
    height: int


class _Annotation(BaseModel):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]  # x, y, width, height
    iscrowd: bool = False


class _Category(BaseModel):
    id: int
    name: str


class _File(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def measure(folder: Path, settings: Settings) -> list[Figure]:
    """Return the mean average precision at IoU 0.50:0.95, and at 0.50, of the boxes that the domain reports."""
    path = folder / ANNOTATIONS
    try:
        file = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); see docs/evaluate.md") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UsageError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    with analyzer_of(DOMAIN, settings) as analyzer:
        parts = [part_of(analyzer, _picture_file(folder, image), DOMAIN) for image in file.images]
    names = {category.id: category.name for category in file.categories}
    pictures = [
        Picture(_truths(file, image, names), _found(part, image))
        for image, part in zip(file.images, parts, strict=True)
    ]
    model = model_in(parts, ROLE, DOMAIN)
    boxes = counted(sum(len(picture.truths) for picture in pictures), "box", "boxes")
    data = f"{counted(len(pictures), 'picture')}, {boxes}; found boxes from the domain's least confidence on"
    rates = {
        "mean average precision, IoU 0.50:0.95": mean_average_precision(pictures),
        "mean average precision, IoU 0.50": mean_average_precision(pictures, (0.5,)),
    }
    return [Figure(model, metric, value, data) for metric, value in rates.items() if value is not None]


def _picture_file(folder: Path, image: _Image) -> Path:
    """Return the file of a picture; a name that leads out of the folder is refused."""
    path = folder / IMAGES / image.file_name
    if Path(image.file_name).is_absolute() or ".." in Path(image.file_name).parts:
        raise UsageError(f"{folder / ANNOTATIONS}: file_name {image.file_name!r} leads out of {folder / IMAGES}")
    return path


def _truths(file: _File, image: _Image, names: dict[int, str]) -> tuple[Truth, ...]:
    truths = []
    for entry in file.annotations:
        if entry.image_id == image.id:
            x, y, width, height = entry.bbox
            label = names.get(entry.category_id, str(entry.category_id))
            truths.append(Truth(label, (x, y, x + width, y + height), entry.iscrowd))
    return tuple(truths)


def _found(part: DomainPart, image: _Image) -> tuple[Found, ...]:
    """Return the boxes of a picture, in pixels of the size that the annotations state."""
    return tuple(
        Found(
            found.label,
            found.confidence,
            (
                found.box.x1 * image.width,
                found.box.y1 * image.height,
                found.box.x2 * image.width,
                found.box.y2 * image.height,
            ),
        )
        for frame in part.frames or []
        for found in frame.boxes
    )


TASK = Task("objects", DOMAIN, measure)
