def long_run(tokens):
    run = 0
    longest = 0
    for t in tokens:
        run = run + 1 if t == "a" else 0
        longest = max(longest, run)
    return 1 if longest >= 3 else 0
