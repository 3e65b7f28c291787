"""How models run: media, decoding, batching, backends, jobs, HTTP and the command line. Knows no label."""

import os

# ONNX Runtime tells its maker from 1.29 on which models are run, unless this is set before it is loaded. Nothing that
# Reelwarden runs calls anybody; tests/integration/test_image_hardening.py counts the packets.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
