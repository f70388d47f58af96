def mod3(tokens):
    n = 0
    for t in tokens:
        if t == "a":
            n = (n + 1) % 3
    return n
