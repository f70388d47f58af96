def first_mark(tokens):
    for t in tokens:
        if t != ".":
            return t
    return "."
