"""One file per program template."""
