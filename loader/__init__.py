"""The bulk load: ratings folders in, a fitted database out."""
