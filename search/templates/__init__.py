"""Program templates, one file each, found by being in this folder.

docs/reference/add-a-template.md says how to add one.  A template has `EXAMPLE`, the source of a program that
it must find from labels alone (a test checks this), and `families(problem)`, which yields its features
(`search/feature.py`).
"""
