"""Loops over the tokens with one to three locals, whose updates are found as expressions."""
