"""Every method that runs Cypher, split by area; shapes and dataclasses out. A method and its query share one name."""
