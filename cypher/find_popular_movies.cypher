// Most liked movies by their Bayesian mean: a movie with few ratings counts near the mean of all.
// Parameters: userId (whose seen movies are left out; null for nobody), exclude, genre, yearFrom, yearTo, offset, limit,
//   confidence (ratings at which a movie's own mean weighs as much as the mean of all)
// Returns: movieId, title, year, score (stars)
CALL () {
  MATCH (movie:Movie)
  WHERE movie.ratingCount > 0
  RETURN sum(movie.ratingMean * movie.ratingCount) / toFloat(sum(movie.ratingCount)) AS meanOfAll // NaN of none
}
CALL () {
  OPTIONAL MATCH (:User {userId: $userId})-[interaction:RATED|WATCHED|LIKED]->(movie:Movie)
  WHERE coalesce(interaction.value, -1) = -1
  RETURN collect(DISTINCT movie) AS seen
}
MATCH (movie:Movie)
WHERE movie.ratingCount > 0
  AND NOT movie IN seen
  AND NOT movie.movieId IN $exclude
  AND coalesce(movie.available, true)
  AND ($genre IS NULL OR $genre IN movie.genres)
  AND ($yearFrom IS NULL OR movie.year >= $yearFrom)
  AND ($yearTo IS NULL OR movie.year <= $yearTo)
WITH movie,
     (movie.ratingMean * movie.ratingCount + meanOfAll * $confidence) / (movie.ratingCount + $confidence) AS score
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, score
ORDER BY score DESC, movieId
SKIP $offset LIMIT $limit
