// The most rated movies. Parameters: limit
// Returns: movieId, title, year, genres, available, ratingCount, ratingMean
MATCH (movie:Movie)
WHERE movie.ratingCount > 0
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, coalesce(movie.genres, []) AS genres,
       coalesce(movie.available, true) AS available, movie.ratingCount AS ratingCount, movie.ratingMean AS ratingMean
ORDER BY ratingCount DESC, movieId
LIMIT $limit
