"""From circuit to proof: the steps of a distillation in order, and the training and pruning of circuits."""
