// Remember up to which migration a database has come. Parameters: version
MATCH (catalogue:Catalogue)
SET catalogue.schemaVersion = $version
