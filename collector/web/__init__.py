"""Headquarters' pages: rendered on the server, Japanese and English, nothing asked of anybody else."""
