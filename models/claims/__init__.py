"""Claims: questions about networks, the inputs they are asked on, and the files that state them."""
