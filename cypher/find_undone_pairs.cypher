// Whose viewings and ratings some events began, ended or are. Parameters: eventIds. Returns: userId, movieId
CALL () {
  UNWIND $eventIds AS eventId
  MATCH (user:User)-[viewing:WATCHED {eventId: eventId}]->(movie:Movie)
  USING INDEX SEEK viewing:WATCHED(eventId)
  RETURN user, movie
  UNION
  UNWIND $eventIds AS eventId
  MATCH (user:User)-[viewing:WATCHED {finishId: eventId}]->(movie:Movie)
  USING INDEX SEEK viewing:WATCHED(finishId)
  RETURN user, movie
  UNION
  UNWIND $eventIds AS eventId
  MATCH (user:User)-[rated:RATED {eventId: eventId}]->(movie:Movie)
  USING INDEX SEEK rated:RATED(eventId)
  RETURN user, movie
}
RETURN user.userId AS userId, movie.movieId AS movieId
