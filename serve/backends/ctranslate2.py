"""CTranslate2 by way of faster-whisper: speech to words, in batches, on CPU or GPU.

Rows are independent of each other, so that rows of several files may share a batch: the text of one piece of sound is
no hint for the next. Nothing is drawn at random: the same sound gives the same words.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model_zoo.errors import BackendError
from model_zoo.manifest import ModelSpec
from model_zoo.values import Given, Tensor, Tensors, on_host
from serve.backends.contract import checked_rows
from serve.backends.cublas import load_cublas
from serve.backends.device_lost import check_device
from serve.backends.languages import Habits, Language, Row

MODEL_FILE = "model.bin"  # the name that CTranslate2 looks for

WARM_UP_SAMPLES = 480_000
MOST_REPETITION = 2.4  # a text that compresses by more repeats itself: the limit that OpenAI uses
UNREPEATED_TOKENS = 3  # in the second attempt no so many tokens come twice
FRAMES_PER_SECOND = 100  # of the spectrogram
# Signs that belong to the word after them, and to the word before them
OPENING, CLOSING = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"

# The arithmetic for a GPU, by its compute capability: the first line that it reaches
COMPUTE_TYPES = (
    (80, "float16"),  # Ampere and newer: A10G, L4, A100, H100
    (75, "int8_float16"),  # Turing: a T4 runs it about as fast and in half the memory
    (70, "float16"),  # Volta
    (61, "int8_float32"),  # Pascal multiplies bytes, but has no fast float16
    (0, "float32"),
)


@dataclass(frozen=True, slots=True)
class Said:
    """What was understood of one row."""

    words: Sequence[str] = ()  # each with the space before it, where there is one
    times: Sequence[tuple[float, float]] = ()  # seconds from the start of the row
    confidences: Sequence[float] = ()
    no_speech: float = 0.0
    log_probability: float = 0.0
    repetition: float = 0.0


def compute_type(sm: int | None) -> str:
    """Return the arithmetic for a GPU of this compute capability (75 is 7.5), or for the CPU where there is none."""
    if sm is None:
        return "int8"
    return next(kind for least, kind in COMPUTE_TYPES if sm >= least)


def cap_kept_memory(most_bytes: int) -> None:
    """Let CTranslate2 keep at most so much of a GPU's memory for its next batch, so that other models find room.

    It reads these variables when it first takes memory; what the user has set stays.
    """
    os.environ.setdefault("CT2_CUDA_ALLOCATOR", "cub_caching")  # the other allocator has no limit
    os.environ.setdefault("CT2_CUDA_CACHING_ALLOCATOR_CONFIG", f"4,3,12,{most_bytes}")  # its own sizes of blocks


class Ctranslate2Model:
    """Run a Whisper model in CTranslate2's format.

    Inputs: the sound (N, S), and for every row `filled`, how many of its samples are of the sound; `language`, a code
    or "" to find it out; `file_number`, the same for rows of one file; `usual_language`, what most of that file was
    spoken in so far, or "", and `usual_seconds`, for how long; `beam_size`, of which the largest counts. A row whose
    language is unsure is taken to be in that of most of its file, these rows included. Outputs: `words` (N, W), padded
    with "", `word_times` (N, W, 2) in seconds of the row, `word_confidences` (N, W), and one value a row: `no_speech`,
    `log_probability`, `repetition`, `language`, `language_confidence`.
    """

    def __init__(self, spec: ModelSpec, path: Path, device: str, arithmetic: str, threads: int) -> None:
        """Load the folder of `path`; `device` is "cpu" or "cuda". Raises BackendError.

        On a GPU silence is run, because CTranslate2 looks for CUDA's libraries only then.
        """
        from faster_whisper import WhisperModel

        if path.name != MODEL_FILE:
            raise BackendError(f"{spec.name}: {path} must be called {MODEL_FILE}; set `file_name` in {spec.manifest}")
        if device == "cuda":
            load_cublas()
        self._spec = spec
        self._most = max(1, spec.batch.most)
        self._halved = ""
        try:
            self._whisper: Any = WhisperModel(
                str(path.parent),
                device=device,
                compute_type=arithmetic,
                cpu_threads=threads,
                local_files_only=True,
            )
            if device == "cuda":
                self._whisper.encode(self._spectrogram(np.zeros(WARM_UP_SAMPLES, np.float32))[None])
        except Exception as error:
            check_device(spec.name, error)
            raise BackendError(f"{spec.name}: CTranslate2 cannot load {path.parent}: {error}") from error

    def run(self, tensors: Given) -> Tensors:
        """Return what was said in every row; raises BackendError for inputs off the contract."""
        given = {name: on_host(rows) for name, rows in tensors.items()}
        waveform, filled, beam_size = self._checked(given)
        known = self._rows(given)
        habits = Habits(known, given["usual_language"].tolist(), given["usual_seconds"].tolist())
        rows: list[tuple[Said, Language]] = []
        while len(rows) < len(waveform):
            part = slice(len(rows), len(rows) + self._most)
            try:
                said = list(self._transcribe(waveform[part], filled[part], known[part], habits, beam_size))
            except RuntimeError as error:
                self._halve(error)
                continue
            habits.remember(known[part], [language for _, language in said])
            rows += said
        return _tensors(rows)

    @property
    def notes(self) -> str:
        """Say what happened that a reader of the report should know; empty where nothing did."""
        return self._halved

    @property
    def languages(self) -> tuple[str, ...]:
        """The codes of the languages that it understands; old models lack some that the library names."""
        whisper = self._whisper
        many = whisper.model.is_multilingual
        return tuple(
            code
            for code in whisper.supported_languages
            if not many or whisper.hf_tokenizer.token_to_id(f"<|{code}|>") is not None
        )

    def _halve(self, error: RuntimeError) -> None:
        """Go on with half as many rows where the GPU's memory was full; raises BackendError for anything else."""
        check_device(self._spec.name, error)
        if "out of memory" not in str(error).lower():
            raise BackendError(f"{self._spec.name}: inference failed: {error}") from error
        if self._most == 1:
            raise BackendError(
                f"{self._spec.name}: the GPU's memory is full with one row ({error}); run fewer domains on it, or "
                "lower REELWARDEN_GPU_MEMORY_SHARE, so that other models leave more of it"
            ) from error
        self._most //= 2
        self._halved = f"the GPU's memory was full, so at most {self._most} rows are run at once"

    def _checked(self, tensors: Tensors) -> tuple[Tensor, Tensor, int]:
        of_rows = ("filled", "file_number", "language", "usual_language", "usual_seconds")
        extra = {*of_rows, "beam_size"}
        waveform = checked_rows(self._spec, {name: rows for name, rows in tensors.items() if name not in extra})
        if missing := extra - set(tensors):
            raise BackendError(f"{self._spec.name}: also takes the inputs {', '.join(sorted(missing))}")
        known = {*self.languages, ""}
        if unknown := {*tensors["language"].tolist(), *tensors["usual_language"].tolist()} - known:
            raise BackendError(f"{self._spec.name}: does not know the language {', '.join(sorted(unknown))}")
        if {len(tensors[name]) for name in of_rows} != {len(waveform)}:
            raise BackendError(f"{self._spec.name}: {', '.join(of_rows)} have a value for every row")
        return waveform, tensors["filled"], int(tensors["beam_size"].max(initial=1))

    def _rows(self, tensors: Tensors) -> list[Row]:
        columns = (tensors[name].tolist() for name in ("file_number", "filled", "language"))
        rate = self._spec.hears().sample_rate
        return [Row(number, samples / rate, wanted) for number, samples, wanted in zip(*columns, strict=True)]

    def _transcribe(
        self, waveform: Tensor, filled: Tensor, known: Sequence[Row], habits: Habits, beam_size: int
    ) -> Iterator[tuple[Said, Language]]:
        features = np.stack([self._spectrogram(row) for row in waveform])  # (N, mel bands, frames)
        encoded = self._whisper.encode(features)
        languages = self._languages(encoded, known, habits)
        said: dict[int, Said] = {}
        for code in dict.fromkeys(language.code for language in languages):
            rows = [row for row, language in enumerate(languages) if language.code == code]
            part = encoded if len(rows) == len(features) else self._whisper.encode(features[rows])
            texts = self._decode(features[rows], part, filled[rows], self._tokenizer(code), beam_size)
            said |= dict(zip(rows, texts, strict=True))
        return ((said[row], language) for row, language in enumerate(languages))

    def _spectrogram(self, samples: Tensor) -> Tensor:
        spectrogram: Tensor = self._whisper.feature_extractor(samples)[
            :, : self._whisper.feature_extractor.nb_max_frames
        ]
        return spectrogram

    def _languages(self, encoded: Any, rows: Sequence[Row], habits: Habits) -> list[Language]:
        """Return the language of each row: the wanted one, else what is heard if that is sure, else the usual one."""
        if not self._whisper.model.is_multilingual:
            return [Language("en", 1.0) for _ in rows]
        if all(row.wanted for row in rows):
            return [Language(row.wanted, 1.0) for row in rows]
        heard = [
            {token[2:-2]: float(share) for token, share in shares}  # <|en|>, best first
            for shares in self._whisper.model.detect_language(encoded)
        ]
        return habits.decide(rows, heard)

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        multilingual = self._whisper.model.is_multilingual
        return Tokenizer(self._whisper.hf_tokenizer, multilingual, task="transcribe", language=language)

    def _decode(
        self,
        features: Tensor,
        encoded: Any,
        filled: Tensor,
        tokenizer: Any,
        beam_size: int,
        unrepeated_tokens: int = 0,
    ) -> list[Said]:
        """Return the text of each row; one that repeats itself is decoded once more, with repetition forbidden."""
        from faster_whisper.transcribe import get_compression_ratio, get_suppressed_tokens

        prompt = self._whisper.get_prompt(tokenizer, [], without_timestamps=True)
        results = self._whisper.model.generate(
            encoded,
            [prompt] * len(features),
            beam_size=beam_size,
            no_repeat_ngram_size=unrepeated_tokens,
            max_length=self._whisper.max_length,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )
        tokens = [[token for token in result.sequences_ids[0] if token < tokenizer.eot] for result in results]
        said = []
        for result, words, ids in zip(results, self._words(tokens, encoded, filled, tokenizer), tokens, strict=True):
            length = len(result.sequences_ids[0])
            said.append(
                Said(
                    words=[word["word"] for word in words],
                    times=[(word["start"], word["end"]) for word in words],
                    confidences=[word["probability"] for word in words],
                    no_speech=result.no_speech_prob,
                    log_probability=result.scores[0] * length / (length + 1),
                    repetition=get_compression_ratio(tokenizer.decode(ids).strip()),
                )
            )
        again = [row for row, text in enumerate(said) if text.repetition > MOST_REPETITION]
        if again and not unrepeated_tokens:
            encoded = self._whisper.encode(features[again])
            better = self._decode(features[again], encoded, filled[again], tokenizer, beam_size, UNREPEATED_TOKENS)
            for row, text in zip(again, better, strict=True):
                said[row] = text
        return said

    def _words(
        self, tokens: Sequence[Sequence[int]], encoded: Any, filled: Tensor, tokenizer: Any
    ) -> list[list[dict[str, Any]]]:
        """Return the words of each row with their times, by the attention of the decoder to the sound."""
        from faster_whisper.transcribe import merge_punctuations

        frames = [max(2, int(samples) * FRAMES_PER_SECOND // self._spec_rate()) for samples in filled]
        aligned: list[list[dict[str, Any]]] = self._whisper.find_alignment(tokenizer, list(tokens), encoded, frames)
        for words in aligned:
            merge_punctuations(words, OPENING, CLOSING)
        return [[word for word in words if word["word"].strip()] for words in aligned]

    def _spec_rate(self) -> int:
        return int(self._whisper.feature_extractor.sampling_rate)


def _tensors(rows: Sequence[tuple[Said, Language]]) -> Tensors:
    """Pad the words of all rows to the same number."""
    most = max((len(said.words) for said, _ in rows), default=0)
    words = np.full((len(rows), most), "", dtype=object)
    times, confidences = np.zeros((len(rows), most, 2), np.float32), np.zeros((len(rows), most), np.float32)
    for row, (said, _) in enumerate(rows):
        count = len(said.words)
        words[row, :count] = said.words
        times[row, :count] = np.reshape(said.times, (count, 2))
        confidences[row, :count] = said.confidences
    return {
        "words": words.astype(str),
        "word_times": times,
        "word_confidences": confidences,
        "language": np.array([language.code for _, language in rows], str),
        "language_confidence": np.array([language.confidence for _, language in rows], np.float32),
        "no_speech": np.array([said.no_speech for said, _ in rows], np.float32),
        "log_probability": np.array([said.log_probability for said, _ in rows], np.float32),
        "repetition": np.array([said.repetition for said, _ in rows], np.float32),
    }
