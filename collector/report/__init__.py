"""A month's statement as people read it: terminal report, CSV, and why a figure is what it is."""
