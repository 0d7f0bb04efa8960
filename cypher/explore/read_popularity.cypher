// All movies with their numbers of ratings, most first. Parameters: none. Returns: movieId, title, year, ratings, mean
MATCH (movie:Movie)
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, coalesce(movie.ratingCount, 0) AS ratings,
       movie.ratingMean AS mean
ORDER BY ratings DESC, movieId
