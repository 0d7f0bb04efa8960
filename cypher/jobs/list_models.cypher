// All versions, the newest first. Parameters: none
// Returns: model, all its properties (version, fittedAt, edges, movies, parameters, snapshot and metrics as JSON, withdrawn,
//   and those of graph/serving_rule.py)
MATCH (model:Model)
RETURN model {.*} AS model
ORDER BY model.fittedAt DESC, model.version DESC
