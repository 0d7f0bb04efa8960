// Write viewings that are new, and mark the recommendations they followed as hits: the movie was watched within a while
// after it was offered. Of several offers the last counts.
// Parameters: sequence, countedFrom (stars), viewings [{eventId, userId, movieId, source, startedAt, lastSeenAt,
//   finishedAt, abandonedAt, finishId, pollsSinceSeen, since}] by user, movie (moments as text; since: the earliest offer
//   that counts)
// Returns: finished [[userId, movieId, finishedAt, before]] (of those that have finished; before: with what the user
//   counted for the movie, or null; moments as text)
UNWIND $viewings AS row
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
CALL (row, user, movie) {
  WITH row, user, movie
  WHERE row.finishedAt IS NOT NULL
  MATCH (user)-[edge:RATED|WATCHED]->(movie)
  WHERE edge.finishedAt IS NOT NULL OR edge.rating >= $countedFrom
  RETURN toString(max(coalesce(edge.at, edge.finishedAt))) AS before
}
WITH collect({row: row, user: user, movie: movie, before: before}) AS all // nothing is written before that
CALL (all) {
  UNWIND all AS one
  WITH one.row AS row, one.user AS user, one.movie AS movie
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
  WITH row, user, movie, localdatetime(row.startedAt) AS startedAt, localdatetime(row.since) AS since
  MATCH (user)-[offer:RECOMMENDED]->(movie)
  WHERE offer.at >= since AND offer.at <= startedAt
  WITH row, startedAt, offer
  ORDER BY offer.at DESC
  WITH row, startedAt, collect(offer)[0] AS last
  SET last.hitAt = CASE WHEN last.hitAt < startedAt THEN last.hitAt ELSE startedAt END
}
RETURN [one IN all WHERE one.row.finishedAt IS NOT NULL |
         [one.row.userId, one.row.movieId, one.row.finishedAt, one.before]] AS finished
