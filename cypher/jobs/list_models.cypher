// All versions, the newest first. Parameters: none
// Returns: version, fittedAt, edges, movies, parameters (JSON), snapshot (JSON), metrics (JSON),
//   withdrawn (gone back from)
MATCH (model:Model)
RETURN model.version AS version, model.fittedAt AS fittedAt, model.edges AS edges, model.movies AS movies,
       model.parameters AS parameters, model.snapshot AS snapshot, model.metrics AS metrics,
       coalesce(model.withdrawn, false) AS withdrawn
ORDER BY fittedAt DESC, version DESC
