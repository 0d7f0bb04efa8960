// The latest finish of each user after a sequence number. Parameters: sequence
// Returns: userId, movieId, eventId, sequence, stored (its recommendations are stored already)
MATCH (user:User)-[viewing:WATCHED]->(movie:Movie)
WHERE viewing.sequence > $sequence AND viewing.finishedAt IS NOT NULL
WITH user, viewing, movie
ORDER BY viewing.finishedAt DESC, movie.movieId
WITH user, collect(viewing)[0] AS viewing, collect(movie)[0] AS movie, max(viewing.sequence) AS sequence
RETURN user.userId AS userId, movie.movieId AS movieId, viewing.eventId AS eventId, sequence,
       EXISTS { (user)-[:RECOMMENDED {batchId: viewing.eventId}]->() } AS stored
ORDER BY sequence, userId
