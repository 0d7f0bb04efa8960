"""Invented ratings with the shapes of the Netflix Prize."""
