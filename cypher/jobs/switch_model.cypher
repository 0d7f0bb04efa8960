// Put a version to use, all at once. Parameters: version, fittedAt, edges, movies, parameters (JSON), snapshot (JSON)
OPTIONAL MATCH (old:Model {current: true})
WHERE old.version <> $version
REMOVE old.current
WITH count(old) AS replaced
MERGE (model:Model {version: $version})
SET model.current = true, model.fittedAt = $fittedAt, model.edges = $edges, model.movies = $movies,
    model.parameters = $parameters, model.snapshot = $snapshot
