"""relucid: distil a neural circuit into a short Python program and prove that they are equal."""
