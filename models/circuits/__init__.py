"""Circuits as functions from token sequences to labels: the teachers."""
