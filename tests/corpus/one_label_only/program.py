def always(tokens):
    return "yes"
