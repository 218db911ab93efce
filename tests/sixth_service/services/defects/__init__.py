"""What is broken in a town."""
