"""One reproducible recipe per model: weights found in a package become a small ONNX file. See README.md."""
