// Take over which movies are deleted, as another database has it. Those that were not put back since are withdrawn here, too,
// and are to be removed.
// Parameters: rows [{movieId, at, lifted}] (at as text)
UNWIND $rows AS row
MERGE (deleted:DeletedMovie {movieId: row.movieId})
SET deleted.at = localdatetime(row.at), deleted.lifted = CASE WHEN row.lifted THEN true END,
    deleted.removedAt = CASE WHEN row.lifted THEN deleted.at END
WITH row
WHERE NOT row.lifted
MATCH (movie:Movie {movieId: row.movieId})
REMOVE movie.title, movie.year, movie.genres, movie.available
