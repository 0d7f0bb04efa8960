// Write LIKED edges that are newer than what is stored.
// Parameters: rows [{userId, movieId, at, eventId, value}] by user and movie, each pair once (at as text), value (1, or -1: not interested)
// Returns: written [eventId]
UNWIND $rows AS row
WITH row, localdatetime(row.at) AS at
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
MERGE (user)-[edge:LIKED]->(movie)
WITH row, at, edge
WHERE (edge.at IS NULL OR edge.at < at OR edge.at = at AND edge.eventId < row.eventId)
  AND coalesce(edge.eventId, '') <> row.eventId
SET edge.at = at, edge.eventId = row.eventId, edge.value = row.value
RETURN collect(row.eventId) AS written
