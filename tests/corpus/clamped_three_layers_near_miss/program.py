def clamped(tokens):
    depth = 0
    for t in tokens:
        if t == "+":
            depth = min(depth + 1, 2)
        if t == "-":
            depth = max(depth - 1, 0)
    return depth > 0
