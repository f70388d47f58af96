"""Program templates, one file each, found by being in this folder.

docs/reference/add-a-template.md is the recipe.  A template has `EXAMPLE`, the source of a program that it
must find from labels alone (a test holds that), and `families(problem)`, which yields the features that it
knows (`search/feature.py`).
"""
