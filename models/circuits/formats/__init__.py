"""The file formats of circuits, one file each: every module here has a `FORMAT` (`circuits/source.py`) and is found by it."""
