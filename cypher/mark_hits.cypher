// Mark recommendations as hits: the movie was watched within a while after it was offered. Of several offers the last counts.
// Parameters: viewings [{userId, movieId, startedAt, since}] that began just now
//   (moments as text; since: the earliest offer that counts)
UNWIND $viewings AS row
WITH row, localdatetime(row.startedAt) AS startedAt, localdatetime(row.since) AS since
MATCH (:User {userId: row.userId})-[offer:RECOMMENDED]->(:Movie {movieId: row.movieId})
WHERE offer.at >= since AND offer.at <= startedAt
WITH row, startedAt, offer
ORDER BY offer.at DESC
WITH row, startedAt, collect(offer)[0] AS last
SET last.hitAt = CASE WHEN last.hitAt < startedAt THEN last.hitAt ELSE startedAt END
