// Put a version to use, all at once: readers take the version from the catalogue's one property.
// Parameters: version, model (all its properties)
MATCH (catalogue:Catalogue)
MERGE (model:Model {version: $version})
SET model = $model, catalogue.model = $version
