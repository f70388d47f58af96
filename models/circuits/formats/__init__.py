"""The file formats of circuits, one file each, found by their `FORMAT` (`source.py`)."""
