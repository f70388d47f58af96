"""What two or more backends use."""
