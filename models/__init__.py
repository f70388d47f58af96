"""What a claim is about: networks, domains, programs, automata, circuits.  Imports nothing else
of relucid.
"""
