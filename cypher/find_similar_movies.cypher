// Movies most similar to one movie. Parameters: movieId, offset, limit
// Returns: movieId, title, year, score (the SIMILAR weight), available (true)
MATCH (catalogue:Catalogue)
WITH catalogue.model AS current
MATCH (:Movie {movieId: $movieId})-[similar:SIMILAR]->(movie:Movie)
WHERE similar.version IN [current, 'incremental'] AND similar.weight > 0
  AND movie.title IS NOT NULL AND coalesce(movie.available, true)
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, similar.weight AS score,
       true AS available
ORDER BY score DESC, movieId
SKIP $offset LIMIT $limit
