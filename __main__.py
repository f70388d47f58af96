"""`python -m relucid`."""

from .cli import entry

entry()
