// What is known of some events: that they were taken back, or what they are in the graph, as what began or ended a viewing,
// as a rating, be it replaced since, or as a mark.
// Parameters: eventIds, undone (false: none was taken back)
// Returns: eventId, userId, movieId, kind, value, replaced (kind: undone, started, finished, rated, liked, listed or
//   clicked; value: of a rating or like, else null; replaced: a newer rating stands)
UNWIND CASE WHEN $undone THEN $eventIds ELSE [] END AS eventId
MATCH (:Undone {eventId: eventId})
RETURN eventId, null AS userId, null AS movieId, 'undone' AS kind, null AS value, false AS replaced
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[viewing:WATCHED {eventId: eventId}]->(movie:Movie)
USING INDEX SEEK viewing:WATCHED(eventId)
// What lasts no time was begun by the event that finished it.
RETURN eventId, user.userId AS userId, movie.movieId AS movieId,
       CASE WHEN viewing.finishedAt = viewing.startedAt THEN 'finished' ELSE 'started' END AS kind,
       null AS value, false AS replaced
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[viewing:WATCHED {finishId: eventId}]->(movie:Movie)
USING INDEX SEEK viewing:WATCHED(finishId)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'finished' AS kind, null AS value, false AS replaced
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[rated:RATED {eventId: eventId}]->(movie:Movie)
USING INDEX SEEK rated:RATED(eventId)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'rated' AS kind, rated.rating AS value, false AS replaced
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[rated:RATED {priorEventId: eventId}]->(movie:Movie)
USING INDEX SEEK rated:RATED(priorEventId)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'rated' AS kind, rated.priorRating AS value,
       true AS replaced
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[liked:LIKED {eventId: eventId}]->(movie:Movie)
USING INDEX SEEK liked:LIKED(eventId)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'liked' AS kind, liked.value AS value, false AS replaced
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[listed:LISTED {eventId: eventId}]->(movie:Movie)
USING INDEX SEEK listed:LISTED(eventId)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'listed' AS kind, null AS value, false AS replaced
UNION
UNWIND $eventIds AS eventId
MATCH (user:User)-[clicked:CLICKED {eventId: eventId}]->(movie:Movie)
USING INDEX SEEK clicked:CLICKED(eventId)
RETURN eventId, user.userId AS userId, movie.movieId AS movieId, 'clicked' AS kind, null AS value, false AS replaced
