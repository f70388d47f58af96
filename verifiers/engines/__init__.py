"""relucid's own engines, one subject per file; `backends/` enters them into the race."""
