// Versions of the model with what they were judged by, the newest first. Parameters: none
// Returns: version, current, fittedAt (text), edges, movies, metrics (JSON)
MATCH (catalogue:Catalogue)
MATCH (model:Model)
RETURN model.version AS version, model.version = catalogue.model AS current, toString(model.fittedAt) AS fittedAt,
       model.edges AS edges, model.movies AS movies, model.metrics AS metrics
ORDER BY fittedAt DESC, version DESC
