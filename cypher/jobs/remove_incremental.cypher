// Remove incremental SIMILAR edges between movies that the version in use knows, some at a time.
// Parameters: limit. Returns: removed
MATCH (catalogue:Catalogue)
WITH catalogue.model AS version
MATCH (source:Movie)-[similar:SIMILAR {version: 'incremental'}]->(target:Movie)
WHERE EXISTS { (source)-[:SIMILAR {version: version}]-() } AND EXISTS { (target)-[:SIMILAR {version: version}]-() }
WITH similar LIMIT $limit
DELETE similar
RETURN count(*) AS removed
