// Movies without a title of which events were kept or refused, the most frequent first. Parameters: offset, limit
// Returns: movieId, kept (viewings, ratings and marks), refused (events), lastSeenAt (null: known from a load alone)
CALL () {
  MATCH (movie:Movie)
  WHERE movie.title IS NULL
    AND NOT EXISTS { MATCH (deleted:DeletedMovie {movieId: movie.movieId}) WHERE deleted.removedAt IS NULL }
  RETURN movie.movieId AS movieId, movie.lastEventAt AS at, 0 AS refused,
         COUNT { (movie)<-[:RATED]-() } + COUNT { (movie)<-[:WATCHED]-() } + COUNT { (movie)<-[:LIKED]-() }
           + COUNT { (movie)<-[:LISTED]-() } + COUNT { (movie)<-[:CLICKED]-() } AS kept
  UNION ALL
  MATCH (note:RefusedMovie)
  WHERE NOT EXISTS { MATCH (known:Movie {movieId: note.movieId}) WHERE known.title IS NOT NULL }
  RETURN note.movieId AS movieId, note.at AS at, note.events AS refused, 0 AS kept
}
WITH movieId, sum(kept) AS kept, sum(refused) AS refused, max(at) AS lastSeenAt
ORDER BY kept + refused DESC, movieId
SKIP $offset LIMIT $limit
RETURN movieId, kept, refused, lastSeenAt
