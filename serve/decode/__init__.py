"""Decoders: one file each, all giving the same iterator of frames."""
