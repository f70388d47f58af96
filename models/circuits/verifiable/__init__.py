"""verifiable-transformers (N. Somani): transformers with sparsemax attention, run as their author defines them."""
