// Viewings that started or ended in some batches. Parameters: after, until (sequence numbers; after is left out)
// Returns: sequence, userId, movieId, title, year, status ('started', 'finished', 'abandoned'), at, eventId; oldest first
MATCH (user:User)-[viewing:WATCHED]->(movie:Movie)
WHERE viewing.sequence > $after AND viewing.sequence <= $until
RETURN viewing.sequence AS sequence, user.userId AS userId, movie.movieId AS movieId, movie.title AS title,
       movie.year AS year,
       CASE WHEN viewing.finishedAt IS NOT NULL THEN 'finished'
            WHEN viewing.abandonedAt IS NOT NULL THEN 'abandoned'
            ELSE 'started' END AS status,
       coalesce(viewing.finishedAt, viewing.abandonedAt, viewing.startedAt) AS at, viewing.eventId AS eventId
ORDER BY sequence, userId, movieId
