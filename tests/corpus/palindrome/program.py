def mirrored(tokens):
    return tokens[0] == tokens[3] and tokens[1] == tokens[2]
