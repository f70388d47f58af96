"""The circuits that ship with relucid: one folder each."""
