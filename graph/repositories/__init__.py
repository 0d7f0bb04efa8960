"""Every method that runs Cypher, split by area; plain dataclasses out. A method and its query share one name."""
