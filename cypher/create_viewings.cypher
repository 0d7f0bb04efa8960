// Write viewings that are new, and mark the recommendations they followed as hits: the movie was watched within a while
// after it was offered. Of several offers the last counts.
// Parameters: sequence, viewings [{eventId, userId, movieId, source, startedAt, lastSeenAt, finishedAt, abandonedAt,
//   finishId, pollsSinceSeen, since}] by user, movie (moments as text; since: the earliest offer that counts)
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
WITH row, user, movie, localdatetime(row.startedAt) AS startedAt, localdatetime(row.since) AS since
MATCH (user)-[offer:RECOMMENDED]->(movie)
WHERE offer.at >= since AND offer.at <= startedAt
WITH row, startedAt, offer
ORDER BY offer.at DESC
WITH row, startedAt, collect(offer)[0] AS last
SET last.hitAt = CASE WHEN last.hitAt < startedAt THEN last.hitAt ELSE startedAt END
