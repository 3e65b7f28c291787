"""The HTTP server, in small files; `serve/sagemaker.py` puts them together."""
