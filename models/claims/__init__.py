"""Claims: questions about networks, the inputs that they are asked on, and the files that state them (README.md)."""
