// Write ratings that are newer than what is stored, and keep the movies' statistics true. Each keeps what it replaced.
// Parameters: rows [{userId, movieId, rating, at, eventId}] by user and movie, each pair once (at as text)
// Returns: written [[userId, movieId, rating, at, before, beforeAt, finishedAt]] (before: the rating that was replaced, or null;
//   finishedAt: the pair's newest finish, or null; moments as text)
UNWIND $rows AS row
WITH row, localdatetime(row.at) AS at
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
MERGE (user)-[rated:RATED]->(movie)
WITH row, at, user, movie, rated, rated.rating AS before, toString(rated.at) AS beforeAt
WHERE (rated.at IS NULL OR rated.at < at OR rated.at = at AND rated.eventId < row.eventId)
  AND coalesce(rated.eventId, '') <> row.eventId
FOREACH (bulk IN CASE WHEN before IS NOT NULL AND rated.eventId IS NULL THEN [rated] ELSE [] END |
  SET bulk.bulkRating = before, bulk.bulkAt = bulk.at)
FOREACH (live IN CASE WHEN rated.eventId IS NOT NULL THEN [rated] ELSE [] END |
  SET live.priorRating = before, live.priorAt = live.at, live.priorEventId = live.eventId)
SET rated.rating = row.rating, rated.at = at, rated.eventId = row.eventId
SET movie.ratingMean =
      (coalesce(movie.ratingMean, 0) * movie.ratingCount - coalesce(before, 0) + row.rating)
      / (movie.ratingCount + CASE WHEN before IS NULL THEN 1 ELSE 0 END),
    movie.ratingCount = movie.ratingCount + CASE WHEN before IS NULL THEN 1 ELSE 0 END
WITH row, at, user, movie, before, beforeAt
CALL (user, movie) {
  MATCH (user)-[viewing:WATCHED]->(movie)
  RETURN toString(max(viewing.finishedAt)) AS finishedAt
}
RETURN collect([row.userId, row.movieId, row.rating, toString(at), before, beforeAt, finishedAt]) AS written
