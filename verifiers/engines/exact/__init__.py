"""Exact linear programs, for questions that floats leave open: ties."""
