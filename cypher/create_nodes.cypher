// Make users and movies that are not there yet; a title or year we lack is taken over.
// Parameters: userIds, ascending; movies [{movieId, title, year}], ascending; title and year may be null
CALL () {
  UNWIND $userIds AS userId
  MERGE (:User {userId: userId})
}
UNWIND $movies AS row
MERGE (movie:Movie {movieId: row.movieId})
  ON CREATE SET movie.ratingCount = 0
WITH movie, row
WHERE movie.title IS NULL OR movie.year IS NULL
SET movie.title = coalesce(movie.title, row.title), movie.year = coalesce(movie.year, row.year)
