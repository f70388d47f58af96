"""Train a weight-sparse transformer on one task, at a size for one CPU core."""
