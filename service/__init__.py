"""The REST service: what to watch next, from the graph, pushed as it changes."""
