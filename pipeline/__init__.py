"""From a circuit to a proved program, and before that: training a model and cutting a circuit out of it."""
