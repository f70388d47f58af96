"""Runs a network on every word of a domain, in exact integers."""
