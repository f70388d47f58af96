"""Networks: the exact form that everything is proved about, and running it exactly, in float32 bounds, or in
onnxruntime.
"""
