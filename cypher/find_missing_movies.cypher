// Which of some movies the graph does not have. Parameters: movieIds. Returns: movieId
UNWIND $movieIds AS movieId
OPTIONAL MATCH (movie:Movie {movieId: movieId})
WITH movieId, movie
WHERE movie IS NULL
RETURN movieId
