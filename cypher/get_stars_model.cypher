// The model of predicted stars in use. Parameters: none. Returns: properties
MATCH (model:StarsModel)
RETURN properties(model) AS properties
