"""Cut a task's circuit out of a model, and measure how far a circuit that was cut out can be believed."""
