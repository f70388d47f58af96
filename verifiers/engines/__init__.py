"""relucid's own engines, one subject per file; `backends/` has the thin files that enter them into the race."""
