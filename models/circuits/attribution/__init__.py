"""Attribution graphs: which features fed which on one prompt.

They are read to be printed and drawn, and run nothing.
"""
