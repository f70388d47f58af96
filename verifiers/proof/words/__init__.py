"""Proofs about words: their checker and witness, and what produces them."""
