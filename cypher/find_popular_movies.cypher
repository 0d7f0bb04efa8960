// Movies watched by most persons: a walk down the index, as far as the page needs.
// Parameters: userId (whose seen movies are left out; null for nobody), exclude, genre, yearFrom, yearTo, offset, limit
// Returns: movieId, title, year, score (persons), available (true)
CALL () {
  OPTIONAL MATCH (:User {userId: $userId})-[interaction:RATED|WATCHED|LIKED]->(movie:Movie)
  WHERE coalesce(interaction.value, -1) = -1
  RETURN collect(DISTINCT movie) AS seen
}
MATCH (movie:Movie)
USING INDEX movie:Movie(viewers)
WHERE movie.viewers > 0
  AND movie.title IS NOT NULL
  AND NOT movie IN seen
  AND NOT movie.movieId IN $exclude
  AND coalesce(movie.available, true)
  AND ($genre IS NULL OR $genre IN movie.genres)
  AND ($yearFrom IS NULL OR movie.year >= $yearFrom)
  AND ($yearTo IS NULL OR movie.year <= $yearTo)
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, toFloat(movie.viewers) AS score,
       true AS available
ORDER BY movie.viewers DESC, movieId
SKIP $offset LIMIT $limit
