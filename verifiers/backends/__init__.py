"""One file per backend of the race; they never import each other."""
