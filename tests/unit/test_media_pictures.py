"""Picture files: a still is one picture, whatever its header claims, and none is looked at in part unsaid."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from model_zoo.errors import MediaLimitError, UnsupportedMediaError
from model_zoo.report import DecodeFacts
from model_zoo.values import View
from serve.boxes import is_mirrored_track
from serve.decode.reading import Wanted, read
from serve.media import Limits, Media, open_media
from serve.pictures import MOST_PNG_CHUNKS, jpeg_orientation
from tests.clips import claim_brand, numbered_picture, remux, write_clip

Picture = NDArray[np.uint8]


def look(media: Media, interval_seconds: float = 0.0) -> tuple[list[Picture], DecodeFacts]:
    video = media.facts.video
    assert video is not None
    with read(media, [Wanted(View(video.width, video.height), interval_seconds, batch=8)]) as reading:
        pictures = [picture for _, frames in reading for picture in frames.pixels]
    return pictures, reading.facts


@pytest.mark.parametrize("brand", [b"mif1", b"heic", b"avif"])
def test_a_video_that_claims_to_be_a_picture_is_a_video_with_all_its_limits(tmp_path: Path, brand: bytes) -> None:
    path = claim_brand(write_clip(tmp_path / "clip.mp4", frames=50), brand)
    opened = open_media(path, Limits())
    assert (opened.facts.kind, opened.facts.duration_seconds) == ("video", 2.0)
    assert len(look(opened, 1.0)[0]) == 2
    with pytest.raises(MediaLimitError, match=r"over the limit of 1\.5 s"):
        open_media(path, Limits(max_duration_seconds=1.5))


def test_one_frame_under_a_still_brand_is_a_picture(tmp_path: Path) -> None:
    path = claim_brand(write_clip(tmp_path / "photo.heic.mp4", frames=1), b"heic")
    opened = open_media(path, Limits())
    assert (opened.facts.kind, opened.facts.duration_seconds) == ("image", None)
    pictures, facts = look(opened)
    assert len(pictures) == facts.frames_decoded == 1
    assert facts.strategy == "image"


def test_of_jpegs_behind_each_other_in_one_file_one_is_the_picture(media: Path, tmp_path: Path) -> None:
    path = tmp_path / "gain_map.jpg"
    path.write_bytes((media / "images" / "flower.jpg").read_bytes() * 3)
    pictures, facts = look(open_media(path, Limits()))
    assert len(pictures) == facts.frames_decoded == 1


def animated_png(path: Path) -> Path:
    return write_clip(path.with_suffix(".apng"), codec="apng", pixel_format="rgb24", frames=12).rename(path)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_every_frame_of_an_animated_png_is_looked_at(tmp_path: Path) -> None:
    opened = open_media(animated_png(tmp_path / "moves.png"), Limits())
    assert (opened.facts.kind, opened.facts.container) == ("video", "apng")
    assert len(look(opened)[0]) == 12


def test_chunks_before_it_do_not_hide_an_animation(tmp_path: Path) -> None:
    path = animated_png(tmp_path / "moves.png")
    data = path.read_bytes()
    path.write_bytes(data[:33] + png_chunk(b"tEXt", b"Comment\0x") * (MOST_PNG_CHUNKS // 2) + data[33:])
    assert open_media(path, Limits()).facts.kind == "video"


def test_a_picture_outside_the_animation_of_a_png_is_not_passed_over(tmp_path: Path) -> None:
    path = animated_png(tmp_path / "hides.png")
    data = path.read_bytes()
    at = data.index(b"fcTL") - 4
    path.write_bytes(data[:at] + data[at + 38 :])
    with pytest.raises(UnsupportedMediaError, match=r"hides\.png: an animated PNG with one more picture"):
        open_media(path, Limits())


def test_an_animated_webp_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "moves.webp"
    path.write_bytes(b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<IB", 10, 0x02) + bytes(9))
    with pytest.raises(UnsupportedMediaError, match=r"animated WebP cannot be decoded here; convert it to GIF or MP4"):
        open_media(path, Limits())


@pytest.mark.parametrize("pages", [1, 2])
def test_a_tiff_of_several_pages_is_refused(tmp_path: Path, pages: int) -> None:
    path = tmp_path / "scan.tiff"
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("tiff", rate=1, width=160, height=96, pix_fmt="rgb24")
        container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_picture(1), format="rgb24")))
    data = bytearray(path.read_bytes())
    (directory,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[directory : directory + 2])
    following = directory + 2 + 12 * entries
    data[following : following + 4] = struct.pack("<I", directory if pages == 2 else 0)
    path.write_bytes(data)
    if pages == 1:
        assert open_media(path, Limits()).facts.kind == "image"
        return
    with pytest.raises(UnsupportedMediaError, match=r"scan\.tiff: a TIFF of several pages"):
        open_media(path, Limits())


def with_orientation(jpeg: bytes, orientation: int, order: str = "<") -> bytes:
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 2)
    tags = struct.pack(order + "HHIHH", 0x100, 3, 1, 1, 0) + struct.pack(order + "HHIHH", 0x112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + head + tags + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


UPRIGHT: dict[int, Callable[[Picture], Picture]] = {  # Exif 2.3, table 6: where row 0 and column 0 are seen
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: stored.transpose(1, 0, 2)[:, ::-1],
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: stored.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_photographs_are_seen_upright_and_not_mirrored(
    media: Path, tmp_path: Path, orientation: int, order: str
) -> None:
    plain = media / "images" / "flower.jpg"
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(with_orientation(plain.read_bytes(), orientation, order))
    stored, upright = look(open_media(plain, Limits()))[0][0], look(open_media(photo, Limits()))[0][0]
    np.testing.assert_array_equal(upright, UPRIGHT[orientation](stored))


@pytest.mark.parametrize("size", range(0, 48, 3))
def test_a_broken_exif_segment_is_passed_over(size: int) -> None:
    whole = with_orientation(b"\xff\xd8\xff\xd9", 6)
    assert jpeg_orientation(BytesIO(whole)) == 6
    assert jpeg_orientation(BytesIO(whole[:size])) in (None, 6)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(orientation: int) -> None:
    assert jpeg_orientation(BytesIO(with_orientation(b"\xff\xd8\xff\xd9", orientation))) is None


def test_a_picture_copied_into_mp4_stays_a_video(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", frames=5)
    assert open_media(remux(clip, tmp_path / "one.mp4", keep=lambda n, _: n == 0), Limits()).facts.kind == "video"


MATRICES = {  # a, b, c, d of x' = a x + c y and y' = b x + d y, for the Exif orientations
    1: (1, 0, 0, 1),
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}


@pytest.mark.parametrize("orientation", MATRICES)
def test_videos_are_seen_upright_and_not_mirrored(tmp_path: Path, orientation: int) -> None:
    plain = write_clip(tmp_path / "clip.mp4", frames=2)
    data = bytearray(plain.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = MATRICES[orientation]
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    stored, upright = look(open_media(plain, Limits()))[0][0], look(open_media(tmp_path / "turned.mp4", Limits()))[0][0]
    np.testing.assert_array_equal(upright, UPRIGHT[orientation](stored))


@pytest.mark.parametrize("size", range(0, 200, 7))
def test_boxes_that_break_off_are_not_mirrored(tmp_path: Path, size: int) -> None:
    data = write_clip(tmp_path / "clip.mp4", frames=2, muxer={"movflags": "+faststart"}).read_bytes()
    assert not is_mirrored_track(BytesIO(data[:size]), 1)
    assert not is_mirrored_track(BytesIO(data[:size] + bytes(64)), 1)


def test_a_box_that_claims_to_be_endless_is_the_last() -> None:
    endless = struct.pack(">I4sQ", 1, b"free", 2**64 - 1)
    assert not is_mirrored_track(BytesIO(struct.pack(">I4sQ", 16, b"ftyp", 0) + endless + bytes(64)), 1)
