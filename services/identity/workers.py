"""Due work: none. What identity does is done while somebody waits for it."""
