"""Bounds on a network over an input set, in float64 with proved rounding."""
