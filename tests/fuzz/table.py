def markdown(files): return ""
