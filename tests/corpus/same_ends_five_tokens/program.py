def same_ends(tokens):
    return tokens[0] == tokens[-1]
