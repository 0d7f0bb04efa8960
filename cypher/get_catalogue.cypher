// The loaded catalogue. Parameters: none. Returns: name, dataset (name of its staged ratings), schemaVersion
MATCH (catalogue:Catalogue)
RETURN catalogue.name AS name, catalogue.dataset AS dataset, catalogue.schemaVersion AS schemaVersion
