"""Networks: the exact form that everything is proved about, and running it in float32 and onnxruntime."""
