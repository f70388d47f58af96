"""Expressions over the whole sequence: enumerated bottom up, and read as labels."""
