// Make users and movies that are not there yet; a title or year we lack is taken over. A movie that still has no title
// keeps when it was last heard of; one that was deleted gets none here.
// Parameters: userIds, ascending; movies [{movieId, title, year, at}], ascending; all but the id may be null (at as text)
CALL () {
  UNWIND $userIds AS userId
  MERGE (:User {userId: userId})
}
UNWIND $movies AS row
MERGE (movie:Movie {movieId: row.movieId})
  ON CREATE SET movie.ratingCount = 0
WITH movie, row
WHERE movie.title IS NULL OR movie.year IS NULL
FOREACH (told IN CASE WHEN EXISTS { MATCH (deleted:DeletedMovie {movieId: row.movieId}) WHERE deleted.lifted IS NULL }
                      THEN [] ELSE [row] END |
  SET movie.title = coalesce(movie.title, told.title), movie.year = coalesce(movie.year, told.year))
WITH movie, localdatetime(row.at) AS at
WHERE movie.title IS NULL AND (movie.lastEventAt IS NULL OR movie.lastEventAt < at)
SET movie.lastEventAt = at
