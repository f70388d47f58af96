"""The ways beyond single templates: two features together, state machines, and step functions."""
