"""Checkpoints of training libraries, read into networks: one file per library, each imported only when it is named."""
