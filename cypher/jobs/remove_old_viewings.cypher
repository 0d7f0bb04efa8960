// Remove viewings that ended and began long ago, some at a time. Parameters: before, limit. Returns: edges, how many
MATCH (:User)-[viewing:WATCHED]->(:Movie)
WHERE viewing.startedAt < $before AND viewing.pollsSinceSeen IS NULL
WITH viewing
LIMIT $limit
DELETE viewing
RETURN count(*) AS edges
