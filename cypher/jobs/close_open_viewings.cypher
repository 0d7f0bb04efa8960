// End viewings that nobody has told of for long as abandoned, some at a time. Parameters: before (last seen), limit, sequence
// Returns: edges, how many
MATCH (:User)-[viewing:WATCHED]->(:Movie)
WHERE viewing.source IS NOT NULL AND viewing.pollsSinceSeen IS NOT NULL AND viewing.lastSeenAt < $before
WITH viewing
LIMIT $limit
SET viewing.abandonedAt = viewing.lastSeenAt, viewing.sequence = $sequence
REMOVE viewing.pollsSinceSeen
RETURN count(*) AS edges
