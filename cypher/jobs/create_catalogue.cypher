// Make the node that tells what is loaded. Parameters: name, schemaVersion
MERGE (catalogue:Catalogue {name: $name})
  ON CREATE SET catalogue.schemaVersion = $schemaVersion
