"""How models are made: checkpoints to ONNX and on. The only place where training libraries may be imported."""
