"""Circuits that ship with relucid."""
