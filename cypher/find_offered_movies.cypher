// Which of some movies may be offered by now. Parameters: movieIds. Returns: movieId
UNWIND $movieIds AS movieId
MATCH (movie:Movie {movieId: movieId})
WHERE movie.title IS NOT NULL AND coalesce(movie.available, true)
RETURN movieId
