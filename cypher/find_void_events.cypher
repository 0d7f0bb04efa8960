// Which events do not count: they were taken back, or their id is already that of a viewing of another user or movie.
// Parameters: events [{eventId, userId, movieId}]. Returns: eventId
UNWIND $events AS row
CALL (row) {
  MATCH (:Undone {eventId: row.eventId})
  RETURN true AS void
  UNION
  MATCH (user:User)-[:WATCHED {eventId: row.eventId}]->(movie:Movie)
  WHERE user.userId <> row.userId OR movie.movieId <> row.movieId
  RETURN true AS void
}
RETURN row.eventId AS eventId
