// End a deletion. The movie itself goes, unless it was put back, or something has happened with it since.
// Parameters: movieId, at
MATCH (deleted:DeletedMovie {movieId: $movieId})
SET deleted.removedAt = $at
WITH deleted
MATCH (movie:Movie {movieId: $movieId})
WHERE movie.title IS NULL AND NOT EXISTS { (movie)<-[:RATED|WATCHED|LIKED|LISTED|CLICKED]-() }
DETACH DELETE movie
