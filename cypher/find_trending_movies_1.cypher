// Movies watched most lately, by a half-life of 1 days: a walk down the index, as far as the page needs.
// Parameters: userId (whose seen movies are left out; null for nobody), exclude, genre, yearFrom, yearTo, offset, limit
// Returns: movieId, title, year, score (persons, decayed until the graph's clock)
CALL () {
  OPTIONAL MATCH (:User {userId: $userId})-[interaction:RATED|WATCHED|LIKED]->(movie:Movie)
  WHERE coalesce(interaction.value, -1) = -1
  RETURN collect(DISTINCT movie) AS seen
}
MATCH (movie:Movie)
USING INDEX movie:Movie(recent1)
WHERE movie.recent1 > -1e300
  AND movie.title IS NOT NULL
  AND NOT movie IN seen
  AND NOT movie.movieId IN $exclude
  AND coalesce(movie.available, true)
  AND ($genre IS NULL OR $genre IN movie.genres)
  AND ($yearFrom IS NULL OR movie.year >= $yearFrom)
  AND ($yearTo IS NULL OR movie.year <= $yearTo)
WITH movie
ORDER BY movie.recent1 DESC, movie.movieId
SKIP $offset LIMIT $limit
MATCH (applied:Sequence {name: 'applied'})
WITH movie, duration.inSeconds(localdatetime('1970-01-01'), applied.newestAt).milliseconds / 86400000.0 AS now
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, 2 ^ (movie.recent1 - now / 1) AS score
ORDER BY movie.recent1 DESC, movieId
