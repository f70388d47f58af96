"""Branch and bound over words: subdomains by ReLU phases, tokens and automaton states."""
