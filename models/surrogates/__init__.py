"""Surrogates: small ReLU networks that give the circuit's label, exactly (docs/theory/surrogates.md)."""
