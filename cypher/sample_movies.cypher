// The most rated movies. Parameters: limit. Returns: movieId, title, year, ratingCount
MATCH (movie:Movie)
WHERE movie.ratingCount > 0
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, movie.ratingCount AS ratingCount
ORDER BY ratingCount DESC, movieId
LIMIT $limit
