"""Finite-domain versions of the tasks that weight-sparse transformers were published with, one file each.

A file has a `TASK` and is found by it.  Its label rule is a reference for training and for tests; the search
never sees this folder.
"""
