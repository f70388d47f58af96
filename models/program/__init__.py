"""Programs: a readable subset of Python, parsed, checked and interpreted, and turned into automata."""
