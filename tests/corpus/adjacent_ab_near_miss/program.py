def has_ab(tokens):
    previous = ""
    for t in tokens:
        if previous == "a" and t == "b":
            return True
        previous = t
    return False
