def last_mark(tokens):
    mark = "none"
    for t in tokens:
        if t == "x" or t == "y":
            mark = t
    return mark
