// The latest finish of each user after a sequence number. Parameters: sequence
// Returns: userId, movieId, eventId (that told of the finish, else that of the viewing), sequence, stored (its recommendations are stored already), source
MATCH (user:User)-[viewing:WATCHED]->(movie:Movie)
WHERE viewing.sequence > $sequence AND viewing.finishedAt IS NOT NULL
WITH user, viewing, movie
ORDER BY viewing.finishedAt DESC, movie.movieId
WITH user, collect(viewing)[0] AS viewing, collect(movie)[0] AS movie, max(viewing.sequence) AS sequence
WITH user, movie, sequence, coalesce(viewing.finishId, viewing.eventId) AS eventId,
     CASE WHEN viewing.finishId IS NULL THEN viewing.source ELSE 'api' END AS source
RETURN user.userId AS userId, movie.movieId AS movieId, eventId, sequence,
       EXISTS { (user)-[:RECOMMENDED {batchId: eventId}]->() } AS stored, source
ORDER BY sequence, userId
