"""The file formats of circuits, one file each: a module here has a `FORMAT` (`source.py`) and is found by it."""
