// What is known of some events: that they were taken back, or what they are in the graph, as what began or ended a viewing,
// as a rating, be it replaced since, or as a mark.
// Parameters: eventIds, undone (false: none was taken back)
// Returns: eventId, userId, movieId, kind, value (kind: undone, started, finished, rated, liked, listed or clicked;
//   value: of a rating or like, else null)
UNWIND CASE WHEN $undone THEN $eventIds ELSE [] END AS eventId
MATCH (:Undone {eventId: eventId})
RETURN eventId, null AS userId, null AS movieId, 'undone' AS kind, null AS value
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[viewing:WATCHED {eventId: eventId}]->(movie:Movie)
// What lasts no time was begun by the event that finished it.
RETURN eventId, user.userId AS userId, movie.movieId AS movieId,
       CASE WHEN viewing.finishedAt = viewing.startedAt THEN 'finished' ELSE 'started' END AS kind, null AS value
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[:WATCHED {finishId: eventId}]->(movie:Movie)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'finished' AS kind, null AS value
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[rated:RATED {eventId: eventId}]->(movie:Movie)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'rated' AS kind, rated.rating AS value
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[rated:RATED {priorEventId: eventId}]->(movie:Movie)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'rated' AS kind, rated.priorRating AS value
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[liked:LIKED {eventId: eventId}]->(movie:Movie)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'liked' AS kind, liked.value AS value
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[:LISTED {eventId: eventId}]->(movie:Movie)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'listed' AS kind, null AS value
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[:CLICKED {eventId: eventId}]->(movie:Movie)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'clicked' AS kind, null AS value
