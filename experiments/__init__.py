"""One-off studies: the commands behind the numbers in docs/theory/performance.md.  Not part of the wheel."""
