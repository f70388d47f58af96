"""ONNX files: reading them as exact networks, writing them, and comparing the reading with onnxruntime."""
