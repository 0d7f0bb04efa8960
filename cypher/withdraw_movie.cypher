// Withdraw a movie: without a title it is offered to nobody from now on. What happened with it until now is removed later.
// Asked again while that goes on, it stays at the first moment. Parameters: movieId, at
// Returns: movieId; no row if there is no such movie
MATCH (movie:Movie {movieId: $movieId})
MERGE (deleted:DeletedMovie {movieId: $movieId})
SET deleted.at = CASE WHEN deleted.at IS NULL OR deleted.removedAt IS NOT NULL OR deleted.lifted THEN $at ELSE deleted.at END
REMOVE deleted.removedAt, deleted.lifted, movie.title, movie.year, movie.genres, movie.available
RETURN movie.movieId AS movieId
