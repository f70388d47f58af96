"""Finding the program: templates, filtering, ranking, rendering."""
