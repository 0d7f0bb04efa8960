// Put a version to use, all at once: readers take the version from the catalogue's one property.
// Parameters: version, fittedAt, edges, movies, parameters (JSON), snapshot (JSON), metrics (JSON)
MATCH (catalogue:Catalogue)
MERGE (model:Model {version: $version})
SET model.fittedAt = $fittedAt, model.edges = $edges, model.movies = $movies, model.parameters = $parameters,
    model.snapshot = $snapshot, model.metrics = $metrics, model.withdrawn = null,
    catalogue.model = $version
