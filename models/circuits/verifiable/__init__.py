"""verifiable-transformers (N. Somani): sparsemax transformers, run as their author defines them."""
