"""The weight-sparse transformer of OpenAI's circuit_sparsity release: its configuration, weights, masks and forward pass."""
