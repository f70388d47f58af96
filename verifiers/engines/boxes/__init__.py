"""Searches over boxes: splits of inputs and ReLUs, linear programs, and HiGHS's own tree."""
