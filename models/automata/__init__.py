"""Automata: finite languages of words with labels, as layered graphs."""
