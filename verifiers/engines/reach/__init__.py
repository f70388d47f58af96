"""Sweeps over words layer by layer: partial sums, merged where equal and rounded where too many."""
