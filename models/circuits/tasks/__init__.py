"""Finite-domain versions of the tasks that weight-sparse transformers were published with, one file each.

A task's label rule is a reference for training and tests; the search never sees this package (tests/test_structure.py).
"""
