"""Solvers that run as programs of their own: text on stdin, a solver competition's answer on stdout.

`solver_process.py` runs them; the package never imports them, and they import nothing of it.
"""
