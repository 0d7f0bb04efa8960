// Viewings of some users. Parameters: after, until (user ids; after is left out)
// Returns: userId, movieId, eventId, source, startedAt, lastSeenAt, finishedAt, abandonedAt; by user, start and event
MATCH (user:User)-[viewing:WATCHED]->(movie:Movie)
WHERE user.userId > $after AND user.userId <= $until
RETURN user.userId AS userId, movie.movieId AS movieId, viewing.eventId AS eventId, viewing.source AS source,
       viewing.startedAt AS startedAt, viewing.lastSeenAt AS lastSeenAt, viewing.finishedAt AS finishedAt,
       viewing.abandonedAt AS abandonedAt
ORDER BY userId, startedAt, eventId
