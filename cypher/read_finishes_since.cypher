// The latest finish of each user in the batches between two. Parameters: after, until (which is included)
// Returns: userId, movieId, eventId (that told of the finish, else that of the viewing), sequence, at, stored (its recommendations are stored already), source
MATCH (user:User)-[viewing:WATCHED]->(movie:Movie)
WHERE viewing.sequence > $after AND viewing.sequence <= $until AND viewing.finishedAt IS NOT NULL
WITH user, viewing, movie
ORDER BY viewing.finishedAt DESC, movie.movieId
WITH user, collect(viewing)[0] AS viewing, collect(movie)[0] AS movie, max(viewing.sequence) AS sequence
WITH user, movie, sequence, coalesce(viewing.finishId, viewing.eventId) AS eventId, viewing.finishedAt AS at,
     CASE WHEN viewing.finishId IS NULL THEN viewing.source ELSE 'api' END AS source
RETURN user.userId AS userId, movie.movieId AS movieId, eventId, sequence, at,
       EXISTS { (user)-[:RECOMMENDED {batchId: eventId}]->() } AS stored, source
ORDER BY sequence, userId
