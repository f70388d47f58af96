def odd(tokens):
    odd = False
    for t in tokens:
        if t == "1":
            odd = not odd
    return odd
