"""One pass over the sound of a media file: voice activity, pieces of speech, words and voices, as they come.

Whatever the length of the file, no more is held than the speech that waits for its batch, and what was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from model_zoo.domain import Loaded, Options
from model_zoo.transcription.pieces import Packer, Piece
from model_zoo.transcription.stretches import SpeechCutter, Stretch
from model_zoo.transcription.voices import hear_voices
from model_zoo.transcription.words import SpokenWord, Usual, as_arrays, ask, spoken
from model_zoo.values import Prediction, SoundWindows, Tensor

SPEECH = "speech"
SURE_OF_LANGUAGE = 0.5  # pieces less sure do not count for the usual language of a file

_numbers = count()  # of the files that this process heard, so that rows of several can share a batch


class Hearing:
    """What is known of one media file while its sound is heard."""

    def __init__(self, voice: Loaded, transcriber: Loaded, speakers: Loaded | None, options: Options) -> None:
        """Hear with these models; without `speakers` nobody's voice is looked at."""
        self._voice, self._transcriber, self._speakers, self._options = voice, transcriber, speakers, options
        taken, window = voice.spec.hears(), transcriber.spec.hears()
        self._taken = taken
        self._cutter: SpeechCutter | None = None  # the network says how many steps a window has
        self._packer = Packer(taken.sample_rate, window.samples)
        self._waiting: list[Piece] = []
        self._heard = 0  # samples
        self._number = next(_numbers)
        self._seconds_by_language: dict[str, float] = {}

    def hear(self, windows: SoundWindows) -> Sequence[Prediction]:
        """Return how sure each window is of speech; the last one carries the words and voices that are known now."""
        speech = self._voice.model.run({self._taken.name: windows.samples})[self._voice.spec.outputs[0]]  # (N, T)
        stretches: list[Stretch] = []
        peaks = []
        for row in range(len(windows)):
            samples, steps = self._new(windows, row, speech[row])
            stretches += self._cut(samples, steps, speech.shape[1])
            peaks.append(float(steps.max(initial=0.0)))
        arrays = self._understand(stretches, at_end=False)
        last = len(windows) - 1
        return [
            Prediction(seconds, {SPEECH: peak}, arrays=arrays if row == last else {})
            for row, (seconds, peak) in enumerate(zip(windows.seconds.tolist(), peaks, strict=True))
        ]

    def finish(self) -> Sequence[Prediction]:
        """Return the words and voices of the speech that still waited, if any."""
        stretches = list(self._cutter.finish()) if self._cutter else []
        arrays = self._understand(stretches, at_end=True)
        return [Prediction(self._heard / self._taken.sample_rate, arrays=arrays)] if arrays else []

    def _new(self, windows: SoundWindows, row: int, steps: Tensor) -> tuple[Tensor, Tensor]:
        """Return what a window has that was not heard before: samples, and the steps for them.

        What it shares with the window before it is for the network, whose first steps know nothing of what was before.
        """
        step = self._taken.samples // len(steps)
        start = round(float(windows.seconds[row]) * self._taken.sample_rate)
        known = max(0, self._heard - start) // step
        filled = int(windows.filled[row])
        self._heard = max(self._heard, start + filled)
        return windows.samples[row, known * step : filled], steps[known : -(-filled // step)]

    def _cut(self, samples: Tensor, steps: Tensor, steps_per_window: int) -> Iterable[Stretch]:
        if self._cutter is None:
            self._cutter = SpeechCutter(self._taken.sample_rate, self._taken.samples // steps_per_window)
        return self._cutter.add(samples, steps)

    def _understand(self, stretches: Sequence[Stretch], at_end: bool) -> dict[str, Tensor]:
        """Return the voices of the stretches, and the words of the pieces that make a batch, as arrays."""
        for stretch in stretches:
            self._waiting += self._packer.add(stretch)
        if at_end:
            self._waiting += self._packer.finish()
        arrays = hear_voices(stretches, self._speakers) if self._speakers and stretches else {}
        words: list[SpokenWord] = []
        most = self._transcriber.spec.batch.best
        while len(self._waiting) >= most or (at_end and self._waiting):
            pieces, self._waiting = self._waiting[:most], self._waiting[most:]
            words += self._transcribe(pieces)
        return arrays | (as_arrays(words) if words else {})

    def _transcribe(self, pieces: Sequence[Piece]) -> list[SpokenWord]:
        spec, options, known = self._transcriber.spec, self._options, self._seconds_by_language
        code = max(known, key=known.__getitem__, default="")
        usual = Usual(self._number, code, known.get(code, 0.0))
        outputs = self._transcriber.model.run(ask(pieces, spec, options.language, usual, options.beam_size))
        for piece, language, sure in zip(
            pieces, outputs["language"].tolist(), outputs["language_confidence"].tolist(), strict=True
        ):
            if sure >= SURE_OF_LANGUAGE:
                self._seconds_by_language[language] = self._seconds_by_language.get(language, 0.0) + piece.seconds
        return spoken(outputs, pieces)
