"""`reelwarden process`: the batch job. Read job.py first; docs/process.md is its contract with schedulers."""
