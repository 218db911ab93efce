"""Due work: none."""
