"""TensorRT engines: a model's weights compiled for one GPU; how they are built, kept and found again."""
