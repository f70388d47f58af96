"""Programs of their own: a solver each, from a text on stdin to the answer lines of the solver competitions on stdout.

Run by `solver_process.py`, never imported by the package; they import nothing of it either.
"""
