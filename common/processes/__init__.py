"""Child processes with limits.  `supervised.py` starts one; `forked.py` splits off the command line's own."""
