"""The REST resources, one blueprint each."""
