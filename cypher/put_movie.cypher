// Make a movie, or change all that is told of it. Parameters: movieId, title, year, genres, available; year may be null
// Returns: created (whether it is new)
OPTIONAL MATCH (known:Movie {movieId: $movieId})
WITH known IS NULL AS created
MERGE (movie:Movie {movieId: $movieId})
  ON CREATE SET movie.ratingCount = 0
SET movie.title = $title, movie.year = $year, movie.genres = $genres, movie.available = $available
RETURN created
