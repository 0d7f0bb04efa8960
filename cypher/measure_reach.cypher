// How far the stored recommendations reach into the catalogue, and how popular what they offer is.
// Parameters: since (lists that were made then or later), most (recommendations that are counted, the latest)
// Returns: movieId, ratingCount, recommendations; one row a movie, the most rated first
CALL () {
  MATCH (:User)-[offer:RECOMMENDED]->(movie:Movie)
  WHERE offer.at >= $since
  WITH movie, offer.at AS at
  ORDER BY at DESC
  LIMIT $most
  RETURN movie, count(*) AS recommendations
  UNION ALL
  MATCH (movie:Movie)
  RETURN movie, 0 AS recommendations
}
WITH movie, sum(recommendations) AS recommendations
RETURN movie.movieId AS movieId, coalesce(movie.ratingCount, 0) AS ratingCount, recommendations
ORDER BY ratingCount DESC, movieId
