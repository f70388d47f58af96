"""Surrogates: small ReLU networks that give the teacher's label, exactly.  `fit.py` is the way in; docs/theory/surrogates.md tells it."""
