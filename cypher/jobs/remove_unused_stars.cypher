// Remove STARS edges that are not of the version in use, some at a time. Parameters: limit. Returns: removed
OPTIONAL MATCH (model:StarsModel)
WITH model.version AS current
MATCH (:Movie)-[edge:STARS]->(:Movie)
WHERE current IS NULL OR edge.version <> current
WITH edge LIMIT $limit
DELETE edge
RETURN count(*) AS removed
