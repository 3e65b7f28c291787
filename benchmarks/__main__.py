"""Run every benchmark, one after another: `make bench`."""

from __future__ import annotations

from benchmarks import backend, decode, memory, moderation, sampling, serve, transcription

for benchmark in (decode, sampling, backend, moderation, transcription, memory, serve):
    benchmark.main()
