"""From a claim to what a solver takes, and the way back from its answer to an input."""
