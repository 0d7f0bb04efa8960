// Write LISTED edges that are newer than what is stored.
// Parameters: rows [{userId, movieId, at, eventId}] by user and movie, each pair once
// Returns: eventId of those that were written
UNWIND $rows AS row
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
MERGE (user)-[edge:LISTED]->(movie)
WITH row, edge
WHERE (edge.at IS NULL OR edge.at < row.at) AND coalesce(edge.eventId, '') <> row.eventId
SET edge.at = row.at, edge.eventId = row.eventId
RETURN row.eventId AS eventId
