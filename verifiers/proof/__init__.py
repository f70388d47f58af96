"""Proofs: what is written (`format.py`), who writes it (`producer.py`), who believes nothing of it
(`network_rows.py`, `checker.py`).
"""
