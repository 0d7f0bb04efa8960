// The model in use. Parameters: none
// Returns: model, all its properties (version, fittedAt, edges, movies, parameters, snapshot and metrics as JSON, withdrawn,
//   and those of graph/serving_rule.py)
MATCH (catalogue:Catalogue)
MATCH (model:Model {version: catalogue.model})
RETURN model {.*} AS model
