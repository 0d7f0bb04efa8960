// Forget versions. Parameters: versions
UNWIND $versions AS version
MATCH (model:Model {version: version})
DETACH DELETE model
