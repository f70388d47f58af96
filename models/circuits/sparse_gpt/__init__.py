"""The weight-sparse GPT of OpenAI's circuit_sparsity release: configuration, weights, masks and forward pass."""
