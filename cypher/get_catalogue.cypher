// The loaded catalogue. Parameters: none. Returns: name, schemaVersion
MATCH (catalogue:Catalogue)
RETURN catalogue.name AS name, catalogue.schemaVersion AS schemaVersion
