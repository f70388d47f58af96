"""Finding the program: templates, filtering, ranking, rendering.  docs/theory/search.md tells how the parts fit together."""
