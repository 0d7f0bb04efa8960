// Mark recommendations as hits: the movie was watched within a while after it was offered. Of several offers the last counts.
// Parameters: viewings [{userId, movieId, startedAt, since}] that began just now (since: the earliest offer that counts)
UNWIND $viewings AS row
MATCH (:User {userId: row.userId})-[offer:RECOMMENDED]->(:Movie {movieId: row.movieId})
WHERE offer.at >= row.since AND offer.at <= row.startedAt
WITH row, offer
ORDER BY offer.at DESC
WITH row, collect(offer)[0] AS last
SET last.hitAt = CASE WHEN last.hitAt < row.startedAt THEN last.hitAt ELSE row.startedAt END
