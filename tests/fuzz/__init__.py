"""The hunt for wrong answers: random cases of seven kinds, each against a truth found another way.  `python
-m tests.fuzz --help`.
"""
