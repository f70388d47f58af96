"""Automata: finite languages of words with labels, as layered graphs; counting, sampling and maximising over
them.
"""
