"""What every room may stand on: child processes with limits, deadlines, files, safe text."""
