// Write viewings that are new. Parameters: sequence, viewings [{eventId, userId, movieId, source, startedAt, lastSeenAt,
//   finishedAt, abandonedAt, finishId, pollsSinceSeen}] by user, movie (moments as text)
UNWIND $viewings AS row
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
CREATE (user)-[:WATCHED {
  eventId: row.eventId,
  source: row.source,
  startedAt: localdatetime(row.startedAt),
  lastSeenAt: localdatetime(row.lastSeenAt),
  finishedAt: localdatetime(row.finishedAt),
  abandonedAt: localdatetime(row.abandonedAt),
  finishId: row.finishId,
  pollsSinceSeen: CASE WHEN coalesce(row.finishedAt, row.abandonedAt) IS NULL THEN row.pollsSinceSeen END,
  sequence: $sequence
}]->(movie)
