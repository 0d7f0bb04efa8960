// Viewings that started or finished in some batches. Parameters: after, until (sequence numbers; after is left out)
// Returns: sequence, userId, movieId, title, year, status ('started' or 'finished'), at, eventId; oldest first
MATCH (user:User)-[viewing:WATCHED]->(movie:Movie)
WHERE viewing.sequence > $after AND viewing.sequence <= $until
RETURN viewing.sequence AS sequence, user.userId AS userId, movie.movieId AS movieId, movie.title AS title,
       movie.year AS year, CASE WHEN viewing.finishedAt IS NULL THEN 'started' ELSE 'finished' END AS status,
       coalesce(viewing.finishedAt, viewing.startedAt) AS at, viewing.eventId AS eventId
ORDER BY sequence, userId, movieId
