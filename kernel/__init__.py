"""Pure rules that at least two packages need. Imports nothing else of ours."""
