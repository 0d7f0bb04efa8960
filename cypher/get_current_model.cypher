// The model in use. Parameters: none
// Returns: version, fittedAt, edges, movies, parameters (JSON), snapshot (JSON), metrics (JSON),
//   withdrawn (gone back from)
MATCH (catalogue:Catalogue)
MATCH (model:Model {version: catalogue.model})
RETURN model.version AS version, model.fittedAt AS fittedAt, model.edges AS edges, model.movies AS movies,
       model.parameters AS parameters, model.snapshot AS snapshot, model.metrics AS metrics,
       coalesce(model.withdrawn, false) AS withdrawn
