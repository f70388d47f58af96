def which_quote(tokens):
    return "'" if "'" in tokens else '"'

def one_quote(tokens):
    return tokens.count("'") + tokens.count('"') == 1
