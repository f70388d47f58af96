"""The inputs that the two tasks are about, in relucid's readable subset of Python."""


def exactly_one_quote(tokens):
    quotes = 0
    for token in tokens:
        if token == "'" or token == '"':
            quotes += 1
    return quotes == 1


def open_and_at_most_three_deep(tokens):
    depth = 0
    for token in tokens:
        if token == "[":
            depth += 1
        if token == "]":
            depth -= 1
        if depth < 0 or depth > 3:
            return False
    return depth > 0
