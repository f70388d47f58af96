def long(tokens):
    return len(tokens) >= 3 and "b" not in tokens
