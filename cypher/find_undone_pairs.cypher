// Whose viewings and ratings some events began, ended or are. Parameters: eventIds. Returns: userId, movieId
CALL () {
  UNWIND $eventIds AS eventId
  MATCH (user:User)-[:WATCHED {eventId: eventId}]->(movie:Movie)
  RETURN user, movie
  UNION
  UNWIND $eventIds AS eventId
  MATCH (user:User)-[:WATCHED {finishId: eventId}]->(movie:Movie)
  RETURN user, movie
  UNION
  UNWIND $eventIds AS eventId
  MATCH (user:User)-[:RATED {eventId: eventId}]->(movie:Movie)
  RETURN user, movie
}
RETURN user.userId AS userId, movie.movieId AS movieId
