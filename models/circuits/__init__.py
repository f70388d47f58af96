"""Circuits: the functions from token sequences to labels that relucid explains."""
