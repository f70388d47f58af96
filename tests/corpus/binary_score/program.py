def score(tokens):
    total = 0
    for i, t in enumerate(tokens):
        if t == "1":
            total += 2 ** i
    return total >= 11
