// What people rated or finished since the bulk load. Parameters: finished (what stands for the stars of a finished movie
// that its user did not rate). Returns: userId, movieId, rating, at
CALL () {
  MATCH (user:User)-[rated:RATED]->(movie:Movie)
  WHERE rated.eventId IS NOT NULL
  RETURN user.userId AS userId, movie.movieId AS movieId, rated.rating AS rating, rated.at AS at, 1 AS strength
  UNION ALL
  MATCH (user:User)-[watched:WATCHED]->(movie:Movie)
  WHERE watched.eventId IS NOT NULL AND watched.finishedAt IS NOT NULL
  RETURN user.userId AS userId, movie.movieId AS movieId, $finished AS rating, watched.finishedAt AS at, 0 AS strength
}
// A rating tells more than a viewing.
WITH userId, movieId, max([strength, rating]) AS told, max(at) AS at
RETURN userId, movieId, told[1] AS rating, at
