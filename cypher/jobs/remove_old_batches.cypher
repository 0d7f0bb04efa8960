// Remove lists from long ago, but never a user's newest, some edges at a time. Parameters: before, limit
// Returns: edges, how many
MATCH (user:User)-[old:RECOMMENDED]->(:Movie)
WHERE old.at < $before AND EXISTS { MATCH (user)-[newer:RECOMMENDED]->(:Movie) WHERE newer.at > old.at }
WITH old
LIMIT $limit
DELETE old
RETURN count(*) AS edges
