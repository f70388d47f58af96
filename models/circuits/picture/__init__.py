"""Draw the graph of a circuit: its data, where everything stands, and the SVG or PNG."""
