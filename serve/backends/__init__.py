"""Inference backends: one file each, all with the same `run(tensors) -> tensors`."""
