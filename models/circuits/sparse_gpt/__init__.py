"""The weight-sparse GPT of the circuit_sparsity release: configuration, weights, masks and forward pass."""
