"""Evidence of a month: one file that a stranger can recompute."""
