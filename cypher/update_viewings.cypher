// Bring viewings up to date.
// Parameters: sequence, countedFrom (stars), viewings [{eventId, userId, movieId, startedAt, lastSeenAt, finishedAt,
//   abandonedAt, finishId, pollsSinceSeen, told}] by user, movie (moments as text; told: consumers of the sequence must
//   hear of it)
// Returns: finished [[userId, movieId, finishedAt, before]] (of those that have finished; before: with what the user
//   counted for the movie, or null; moments as text)
UNWIND $viewings AS row
MATCH (user:User)-[viewing:WATCHED {eventId: row.eventId}]->(movie:Movie)
USING INDEX SEEK viewing:WATCHED(eventId)
CALL (row, user, movie) {
  WITH row, user, movie
  WHERE row.finishedAt IS NOT NULL
  MATCH (user)-[edge:RATED|WATCHED]->(movie)
  WHERE edge.finishedAt IS NOT NULL OR edge.rating >= $countedFrom
  RETURN toString(max(coalesce(edge.at, edge.finishedAt))) AS before
}
WITH collect({row: row, viewing: viewing, before: before}) AS all // nothing is written before that
CALL (all) {
  UNWIND all AS one
  WITH one.row AS row, one.viewing AS viewing
  SET viewing += {
    startedAt: localdatetime(row.startedAt),
    lastSeenAt: localdatetime(row.lastSeenAt),
    finishedAt: localdatetime(row.finishedAt),
    abandonedAt: localdatetime(row.abandonedAt),
    finishId: row.finishId,
    pollsSinceSeen: CASE WHEN coalesce(row.finishedAt, row.abandonedAt) IS NULL THEN row.pollsSinceSeen END,
    sequence: CASE WHEN row.told THEN $sequence ELSE viewing.sequence END
  }
}
RETURN [one IN all WHERE one.row.finishedAt IS NOT NULL |
         [one.row.userId, one.row.movieId, one.row.finishedAt, one.before]] AS finished
