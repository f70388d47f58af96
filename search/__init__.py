"""Finding the program: templates, filtering, ranking, rendering.  docs/search.md tells how the parts fit together."""
