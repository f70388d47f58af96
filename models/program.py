"""PLACEHOLDER until the interpreter lands."""
