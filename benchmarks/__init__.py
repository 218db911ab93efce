"""The measured figures, and the code that measures them: `make bench`."""
