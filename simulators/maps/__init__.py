"""Register maps by maker, laid out here from the makers' tables.

The agent's profiles and its decoder are never used, so that a mistake in either is seen as a difference.
"""
