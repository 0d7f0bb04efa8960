// One movie. Parameters: movieId
// Returns: movieId, title, year, genres, available, ratingCount, ratingMean; no row if there is no such
//   movie, or it is being deleted
MATCH (movie:Movie {movieId: $movieId})
WHERE movie.title IS NOT NULL
   OR NOT EXISTS { MATCH (deleted:DeletedMovie {movieId: $movieId}) WHERE deleted.removedAt IS NULL }
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, coalesce(movie.genres, []) AS genres,
       coalesce(movie.available, true) AS available, coalesce(movie.ratingCount, 0) AS ratingCount,
       movie.ratingMean AS ratingMean
