def compare(tokens):
    a = tokens.count("a")
    b = tokens.count("b")
    if a > b:
        return "a"
    if b > a:
        return "b"
    return "a"
