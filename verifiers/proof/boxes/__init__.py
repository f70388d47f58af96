"""Proofs about boxes: their checker and witness, and what produces them."""
