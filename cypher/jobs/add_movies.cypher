// Make movies that are not there yet; what we lack of others is taken over.
// Parameters: movies [{movieId, title, year, genres}], ascending; all but the id may be null
UNWIND $movies AS row
MERGE (movie:Movie {movieId: row.movieId})
  ON CREATE SET movie.ratingCount = 0
SET movie.title = coalesce(movie.title, row.title), movie.year = coalesce(movie.year, row.year),
    movie.genres = coalesce(movie.genres, row.genres)
