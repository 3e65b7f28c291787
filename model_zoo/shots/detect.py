"""Mark frames with scenedetect's detectors: cuts, returns from the dark, and black.

The detectors count frames; times come from the frames themselves, so a variable frame rate does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from model_zoo.values import Frames, Predict, Prediction

CUT = "cut_2_frames_earlier"  # the detector compares with the 2 frames that follow, and so speaks 2 frames late
CUT_DELAY_FRAMES = 2
FADE = "back_from_dark"
DARK = "dark"
BLACK = "black"
NOTHING: Mapping[str, float] = {}  # one object for all unmarked frames: an hour of video has 90,000

CUT_RATIO = 3.0  # a cut changes the picture so much more than the frames around it do
LEAST_CUT_CHANGE = 15.0  # and by so much: mean change of hue, saturation and value, 0 to 255
DARK_LEVEL = 12  # mean of all channels; below it colours are mostly noise
FADED_LEVEL = 30  # mean of all channels; below it the picture has faded out: every black frame has
BLACK_LEVEL = 24  # the brightest that counts as black, of a channel
LEAST_BLACK_SHARE = 0.98  # of a black frame's pixel values

ANY_RATE = 25.0  # the detectors want a frame rate although they only count


def watch() -> Predict:
    """Return a function that marks the frames of one media file, batch by batch."""
    # cv2 takes long to load; nobody who only lists models should wait for it
    from scenedetect import AdaptiveDetector, FrameTimecode, ThresholdDetector

    cuts = AdaptiveDetector(
        adaptive_threshold=CUT_RATIO,
        min_scene_len=1,
        window_width=CUT_DELAY_FRAMES,
        min_content_val=LEAST_CUT_CHANGE,
    )
    fades = ThresholdDetector(threshold=FADED_LEVEL, min_scene_len=1)
    count = 0

    def predict(frames: Frames) -> Sequence[Prediction]:
        nonlocal count
        bgr = np.ascontiguousarray(frames.pixels[..., ::-1])  # (N, H, W, 3)
        level = bgr.reshape(len(bgr), -1).mean(axis=1)  # (N,)
        low = (bgr <= BLACK_LEVEL).reshape(len(bgr), -1)  # (N, H * W * 3)
        predictions = []
        for row, seconds in enumerate(frames.seconds.tolist()):
            number = FrameTimecode(count, ANY_RATE)
            count += 1
            marks = {}
            if cuts.process_frame(number, bgr[row]):
                marks[CUT] = 1.0
            if fades.process_frame(number, bgr[row]):
                marks[FADE] = 1.0
            if level[row] < DARK_LEVEL:
                marks[DARK] = 1.0
            black_share = np.count_nonzero(low[row]) / low.shape[1]
            if black_share >= LEAST_BLACK_SHARE:
                marks[BLACK] = round(black_share, 4)
            predictions.append(Prediction(seconds, marks or NOTHING))
        return predictions

    return predict
