"""Run every benchmark, one after another: `make bench`."""

from __future__ import annotations

from benchmarks import all_domains, backend, decode, memory, moderation, sampling, serve, transcription

for benchmark in (decode, sampling, backend, moderation, transcription, all_domains, memory, serve):
    benchmark.main()
