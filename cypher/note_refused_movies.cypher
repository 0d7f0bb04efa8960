// Count events that were refused since no catalogue has their movie. Of so many movies that is known; the oldest notes go.
// Parameters: rows [{movieId, events}] by movie, at, most (notes)
// Returns: nothing
UNWIND $rows AS row
MERGE (note:RefusedMovie {movieId: row.movieId})
SET note.events = coalesce(note.events, 0) + row.events, note.at = $at
WITH count(*) AS written
CALL () { MATCH (note:RefusedMovie) RETURN count(*) AS notes }
WITH notes
WHERE notes > $most
MATCH (old:RefusedMovie)
WITH old
ORDER BY old.at DESC, old.movieId
SKIP $most
DELETE old
