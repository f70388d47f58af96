"""Find the program: from labelled inputs to short Python, the plainest first (docs/theory/search.md)."""
