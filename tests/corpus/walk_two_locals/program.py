def above(tokens):
    height = 0
    low = 0
    for t in tokens:
        height += 1 if t == "u" else -1
        low = min(low, height)
    return height > 0 and low >= -1
