def kind(tokens):
    if all(t == "a" for t in tokens):
        return "all"
    if any(t == "a" for t in tokens):
        return "some"
    return "none"
