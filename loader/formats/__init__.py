"""The formats in which ratings are distributed: recognising them, and reading their lines."""
