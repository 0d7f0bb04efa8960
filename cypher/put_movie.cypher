// Make a movie, or change all that is told of it; one that was deleted comes back, without what happened before.
// Parameters: movieId, title, year, genres, available; year may be null
// Returns: created (whether it is new)
OPTIONAL MATCH (known:Movie {movieId: $movieId})
OPTIONAL MATCH (deleted:DeletedMovie {movieId: $movieId})
WITH deleted, known IS NULL OR deleted IS NOT NULL AND deleted.removedAt IS NULL AND deleted.lifted IS NULL AS created
SET deleted.lifted = true
WITH created
MERGE (movie:Movie {movieId: $movieId})
  ON CREATE SET movie.ratingCount = 0
SET movie.title = $title, movie.year = $year, movie.genres = $genres, movie.available = $available
RETURN created
