// What people liked since the bulk load: live ratings, and viewings that were finished. Parameters: threshold (stars)
// Returns: userId, movieId, liked (false: rated below the threshold), at
CALL () {
  MATCH (user:User)-[rated:RATED]->(movie:Movie)
  WHERE rated.eventId IS NOT NULL
  RETURN user.userId AS userId, movie.movieId AS movieId, rated.rating >= $threshold AS liked, rated.at AS at, 1 AS strength
  UNION ALL
  MATCH (user:User)-[watched:WATCHED]->(movie:Movie)
  WHERE watched.eventId IS NOT NULL AND watched.finishedAt IS NOT NULL
  RETURN user.userId AS userId, movie.movieId AS movieId, true AS liked, watched.finishedAt AS at, 0 AS strength
}
// A rating tells more than a viewing.
WITH userId, movieId, max([strength, liked]) AS told, max(at) AS at
RETURN userId, movieId, told[1] AS liked, at
