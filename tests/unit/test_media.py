"""Opening media: what it is, which stream is used, what is refused and in which words."""

from __future__ import annotations

import hashlib
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from model_zoo.errors import CorruptMediaError, MediaLimitError, MediaNotFoundError, UnsupportedMediaError
from model_zoo.report import VideoFacts
from serve.decode.index import read_index
from serve.media import Limits, find_media, open_media
from tests.clips import claim_duration, claim_size_png, cut_off, remux, write_clip

H264 = {"x264-params": "keyint=24:bframes=2:log-level=none", "preset": "ultrafast"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=50, options=H264)


def video_facts(path: Path) -> VideoFacts:
    video = open_media(path, Limits()).facts.video
    assert video is not None
    return video


def test_the_facts_of_the_demo_video(media: Path) -> None:
    facts = open_media(media / "demo.mp4", Limits()).facts
    assert (facts.kind, facts.name, facts.duration_seconds) == ("video", "demo.mp4", 31.2)
    assert facts.sha256 == hashlib.sha256((media / "demo.mp4").read_bytes()).hexdigest()
    assert facts.streams == [
        "#0 video h264 854x480 25 fps (default) - used",
        "#1 audio aac 48000 Hz 1 channels (default) - used",
    ]
    assert facts.video is not None
    assert facts.video.model_dump() == {
        "stream_index": 0,
        "codec": "h264",
        "profile": "High",
        "pixel_format": "yuv420p",
        "width": 854,
        "height": 480,
        "coded_width": 854,
        "coded_height": 480,
        "rotation_degrees": 0,
        "mirrored": False,
        "sample_aspect_ratio": "1:1",
        "interlaced": False,
        "frame_rate": 25.0,
        "start_seconds": 0.0,
        "duration_seconds": 31.2,
    }


@pytest.mark.parametrize("codec", ["hevc.mp4", "vp9.webm", "av1.mp4"])
def test_other_codecs_are_recognised(media: Path, codec: str) -> None:
    assert video_facts(media / "variants" / f"demo_{codec}").codec == codec.partition(".")[0]


def test_a_turned_video_is_described_upright(media: Path) -> None:
    video = video_facts(media / "variants" / "demo_rotated90.mp4")
    assert (video.rotation_degrees, video.width, video.height) == (90, 270, 480)
    assert (video.coded_width, video.coded_height) == (480, 270)


def test_pixels_that_are_not_square_are_widened(tmp_path: Path) -> None:
    video = video_facts(write_clip(tmp_path / "wide.mp4", frames=5, options=H264, aspect=Fraction(4, 3)))
    assert (video.sample_aspect_ratio, video.width, video.height) == ("4:3", 213, 96)


def test_interlaced_video_is_said_to_be(tmp_path: Path) -> None:
    options = {"x264-params": "interlaced=1:log-level=none"}
    assert video_facts(write_clip(tmp_path / "tv.mp4", frames=5, options=options)).interlaced


def test_a_start_that_is_not_zero_is_kept_apart(clip: Path, tmp_path: Path) -> None:
    opened = open_media(remux(clip, tmp_path / "late.mkv", shift_seconds=7.0), Limits())
    assert opened.start_seconds == pytest.approx(7.0)
    assert opened.facts.video is not None
    assert opened.facts.video.start_seconds == pytest.approx(7.0)


def test_a_file_with_sound_alone_is_audio(media: Path) -> None:
    facts = open_media(media / "variants" / "demo_audio.m4a", Limits()).facts
    assert facts.kind == "audio"
    assert facts.video is None
    assert facts.audio is not None
    assert (facts.audio.codec, facts.audio.sample_rate, facts.audio.channels) == ("aac", 48000, 1)


def test_streams_beside_the_chosen_ones_are_named_as_unseen(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mpeg4", rate=25), *(container.add_stream("aac", rate=48000) for _ in range(2))]
        for stream in streams:
            frame: av.VideoFrame | av.AudioFrame
            if isinstance(stream, av.VideoStream):
                stream.width, stream.height, frame = 64, 48, av.VideoFrame(64, 48, "yuv420p")
            else:
                frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
                frame.sample_rate = 48000
            frame.pts = 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    assert open_media(path, Limits()).facts.unseen_streams == ["#2 audio aac 48000 Hz 2 channels"]
    assert open_media(clip, Limits()).facts.unseen_streams == []


def test_a_video_without_sound_has_no_audio(media: Path) -> None:
    assert open_media(media / "variants" / "demo_noaudio.mp4", Limits()).facts.audio is None


@pytest.mark.parametrize("name", ["astronaut.jpg", "cameraman.png", "cat.png"])
def test_pictures_are_images_without_a_duration(media: Path, name: str) -> None:
    facts = open_media(media / "images" / name, Limits()).facts
    assert (facts.kind, facts.duration_seconds) == ("image", None)


def test_a_picture_under_a_wrong_name_is_still_recognised(media: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "picture.mp4"
    renamed.write_bytes((media / "images" / "cat.png").read_bytes())
    assert open_media(renamed, Limits()).facts.kind == "image"


@pytest.mark.parametrize(("orientation", "turned"), [(1, 0), (3, 180), (6, 90), (8, 270)])
def test_the_orientation_of_a_photograph_is_applied(media: Path, tmp_path: Path, orientation: int, turned: int) -> None:
    tag = struct.pack("<IH", 8, 1) + struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0) + bytes(4)
    exif = b"Exif\0\0II*\0" + tag
    data = (media / "images" / "flower.jpg").read_bytes()
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    video = video_facts(photo)
    assert video.rotation_degrees == turned
    assert (video.width > video.height) == (turned in (0, 180))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match=r"nothing\.mp4: no such file"):
        open_media(tmp_path / "nothing.mp4", Limits())


def test_an_empty_file_is_corrupt(media: Path) -> None:
    with pytest.raises(CorruptMediaError, match=r"demo_empty\.mp4: the file has 0 bytes; upload it again"):
        open_media(media / "variants" / "demo_empty.mp4", Limits())


def test_a_file_without_its_header_is_corrupt(media: Path) -> None:
    with pytest.raises(CorruptMediaError, match="header is missing, damaged or cut off"):
        open_media(media / "variants" / "demo_nomoov.mp4", Limits())


def test_text_by_another_name_is_not_media(tmp_path: Path) -> None:
    (tmp_path / "notes.dat").write_text("It is a truth universally acknowledged\n" * 50)
    with pytest.raises(UnsupportedMediaError, match=r"notes\.dat: not a known media container; convert it"):
        open_media(tmp_path / "notes.dat", Limits())


@pytest.mark.parametrize("name", ["play.m3u8", "play.mp4"])
def test_a_playlist_that_names_other_files_is_refused(clip: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\n{clip}\n#EXT-X-ENDLIST\n")
    with pytest.raises((UnsupportedMediaError, CorruptMediaError)):
        open_media(tmp_path / name, Limits())


def test_a_name_with_a_pattern_is_just_a_name(clip: Path, tmp_path: Path) -> None:
    odd = tmp_path / "100%d [*] file:x.mp4"
    odd.write_bytes(clip.read_bytes())
    assert open_media(odd, Limits()).facts.kind == "video"


def test_a_video_without_a_key_frame_says_so(clip: Path, tmp_path: Path) -> None:
    path = remux(clip, tmp_path / "nokey.mp4", keep=lambda number, packet: not packet.is_keyframe)
    with pytest.raises(CorruptMediaError, match=r"not one frame of video stream #0 .* no key frame"):
        open_media(path, Limits())


def test_a_picture_that_is_too_large_is_refused_by_its_header(tmp_path: Path) -> None:
    path = claim_size_png(tmp_path / "huge.png", 20_000, 20_000)
    with pytest.raises(MediaLimitError, match=r"huge\.png: 20000x20000 pixels, a side is over the limit of 8192"):
        open_media(path, Limits())


def test_a_video_whose_header_claims_an_impossible_size_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "huge.mkv", codec="ffv1", frames=2, size=(320, 288))
    data = (
        path.read_bytes()
        .replace(b"\xb0\x82\x01\x40", b"\xb0\x82\x4e\x20")
        .replace(b"\xba\x82\x01\x20", b"\xba\x82\x4e\x20")
    )
    path.write_bytes(data)
    with pytest.raises(CorruptMediaError, match=r"no usable picture size .* at most 8,192 pixels a side"):
        open_media(path, Limits())


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(max_bytes=1000), r"bytes are over the limit of 1,000; .*REELWARDEN_MAX_BYTES"),
        (Limits(max_side=100), r"160x96 pixels, a side is over the limit of 100; .*REELWARDEN_MAX_SIDE"),
        (Limits(max_pixels=10_000), r"160x96 are 15,360 pixels, over the limit of 10,000; .*REELWARDEN_MAX_PIXELS"),
        (Limits(max_side_ratio=1.5), r"160x96 pixels, a side over 1.5 times the other"),
        (Limits(max_duration_seconds=1.5), r"2.0 s long \(says the header\), over the limit of 1.5 s"),
    ],
)
def test_every_limit_names_the_value_the_limit_and_the_fix(clip: Path, limits: Limits, words: str) -> None:
    with pytest.raises(MediaLimitError, match=words) as error:
        open_media(clip, limits)
    assert "\n" not in str(error.value)


def test_ten_hours_in_the_header_are_refused_before_anything_is_decoded(clip: Path, tmp_path: Path) -> None:
    path = claim_duration(remux(clip, tmp_path / "long.mkv"), 36_000.0)
    with pytest.raises(MediaLimitError, match=r"36,000.0 s long .* over the limit of 14,400.0 s"):
        open_media(path, Limits())


def test_a_negative_duration_is_none(clip: Path, tmp_path: Path) -> None:
    path = claim_duration(remux(clip, tmp_path / "back.mkv"), -5.0)
    assert open_media(path, Limits()).facts.duration_seconds is None


def test_a_header_that_claims_too_little_does_not_get_past_the_limit(clip: Path, tmp_path: Path) -> None:
    path = claim_duration(remux(clip, tmp_path / "short.mkv"), 0.5)
    limits = Limits(max_duration_seconds=1.0)
    opened = open_media(path, limits)
    with pytest.raises(MediaLimitError, match="by the times of its packets"):
        read_index(opened)


def test_a_header_that_claims_too_much_is_found_out(clip: Path, tmp_path: Path) -> None:
    index = read_index(open_media(claim_duration(remux(clip, tmp_path / "boast.mkv"), 60.0), Limits()))
    assert index.broke_off == "the file ends at 2.00 s of the 60.00 s in its header"


def test_a_file_that_is_cut_off_is_found_out(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cut.mp4", frames=50, options=H264, muxer={"movflags": "+faststart"})
    index = read_index(open_media(cut_off(path, 0.5), Limits()))
    assert index.broke_off is not None
    assert "of the 50 frames in its header" in index.broke_off


def test_folders_are_searched_and_other_files_in_them_passed_over(tmp_path: Path) -> None:
    for name in ("b.mp4", "a/c.PNG", "a/notes.dat", "z.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert find_media([tmp_path]) == [tmp_path / "a" / "c.PNG", tmp_path / "b.mp4", tmp_path / "z.wav"]
    assert find_media([tmp_path / "a" / "notes.dat"]) == [tmp_path / "a" / "notes.dat"]


def test_a_file_that_is_named_twice_is_found_once(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert find_media([tmp_path, tmp_path / "a.mp4"]) == [tmp_path / "a.mp4"]


def test_a_folder_without_media_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.dat").write_text("x")
    with pytest.raises(MediaNotFoundError, match="no media in this folder"):
        find_media([tmp_path])


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match="no such file or folder"):
        find_media([tmp_path / "gone"])


@pytest.mark.media
def test_of_several_streams_the_larger_default_one_is_used_and_said(rich_media: Path) -> None:
    facts = open_media(rich_media / "video" / "nasa_13013.mp4", Limits()).facts
    assert facts.video is not None
    assert (facts.video.stream_index, facts.video.width) == (3, 480)
    assert facts.streams[0] == "#0 video h264 320x180 25 fps eng (default)"
    assert facts.streams[3] == "#3 video h264 480x270 29.97 fps eng (default) - used"
    assert [words for words in facts.streams if words.endswith("- used")] == [facts.streams[1], facts.streams[3]]


@pytest.mark.media
def test_a_broken_download_is_corrupt(rich_media: Path) -> None:
    with pytest.raises(CorruptMediaError):
        open_media(rich_media / "video" / "codecs" / "video_01_invalid.mp4", Limits())
