"""Programs that no single template explains: combinations of features, state machines, enumeration."""
