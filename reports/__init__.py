"""Reports for the browser: the frame and the plots that all share, and the report on a distillation."""
