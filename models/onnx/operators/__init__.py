"""The ONNX operators, a subject a file.  `registry.py` says how a file enters its functions."""
