"""Encoders: from one query of a claim to the input of a solver, and from its answer back to an input."""
