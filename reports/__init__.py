"""Answers for people: text for the terminal, and HTML reports."""
