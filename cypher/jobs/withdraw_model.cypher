// Mark a version that was gone back from. Parameters: version
MATCH (model:Model {version: $version})
SET model.withdrawn = true
