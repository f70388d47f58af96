"""The command line: commands, their options, exit statuses, and the limits that hold for each of them."""
