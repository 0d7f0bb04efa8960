// How much movies were watched lately (graph.recency). Parameters: movieIds
// Returns: movieId, viewers, recent (figures, null for none), shrunk
UNWIND $movieIds AS movieId
MATCH (movie:Movie {movieId: movieId})
RETURN movieId, movie.viewers AS viewers,
       [movie.recent1, movie.recent3, movie.recent10, movie.recent30, movie.recent100] AS recent,
       coalesce(movie.shrunk, 0.0) AS shrunk
