def ascending(tokens):
    previous = tokens[0]
    for t in tokens:
        if t < previous:
            return False
        previous = t
    return True
