"""One file per solver backend; they never import each other."""
