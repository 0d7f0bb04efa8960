// Which of some movies no catalogue has: they are not there, or have no title. Parameters: movieIds. Returns: movieId
UNWIND $movieIds AS movieId
OPTIONAL MATCH (movie:Movie {movieId: movieId})
WITH movieId, movie
WHERE movie.title IS NULL
RETURN movieId
