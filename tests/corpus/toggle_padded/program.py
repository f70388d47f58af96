def open_quote(tokens):
    inside = False
    for t in tokens:
        if t == "'":
            inside = not inside
    return "open" if inside else "closed"
