"""Finding, recognising and opening the files of an input."""
