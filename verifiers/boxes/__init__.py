"""Networks with real inputs over boxes: is there an input of the box whose outputs are unsafe?  `relucid verify`."""
