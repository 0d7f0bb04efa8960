// Write CLICKED edges that are newer than what is stored.
// Parameters: rows [{userId, movieId, at, eventId}] by user and movie, each pair once (at as text)
// Returns: written [eventId]
UNWIND $rows AS row
WITH row, localdatetime(row.at) AS at
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
MERGE (user)-[edge:CLICKED]->(movie)
WITH row, at, edge
WHERE (edge.at IS NULL OR edge.at < at OR edge.at = at AND edge.eventId < row.eventId)
  AND coalesce(edge.eventId, '') <> row.eventId
SET edge.at = at, edge.eventId = row.eventId
RETURN collect(row.eventId) AS written
