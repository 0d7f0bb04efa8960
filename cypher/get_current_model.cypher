// The model in use. Parameters: none. Returns: version, fittedAt, edges, movies, parameters (JSON), snapshot (JSON)
MATCH (model:Model {current: true})
RETURN model.version AS version, model.fittedAt AS fittedAt, model.edges AS edges, model.movies AS movies,
       model.parameters AS parameters, model.snapshot AS snapshot
