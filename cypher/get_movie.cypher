// One movie. Parameters: movieId
// Returns: movieId, title, year, genres, available, ratingCount, ratingMean; no row if there is no such movie
MATCH (movie:Movie {movieId: $movieId})
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, coalesce(movie.genres, []) AS genres,
       coalesce(movie.available, true) AS available, coalesce(movie.ratingCount, 0) AS ratingCount,
       movie.ratingMean AS ratingMean
