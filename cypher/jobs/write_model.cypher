// Store a version before it is put to use: readers see a transaction while it is being applied, the catalogue's property
// maybe before the version's node. Until then nobody goes back to it. Parameters: version, model (all its properties)
MERGE (model:Model {version: $version})
SET model = $model, model.withdrawn = true
