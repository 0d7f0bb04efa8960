// The viewings that new events of these users can change, or that tell when a viewing that is told of late ended: their
// open ones, those seen since the earliest event, those of the movies in question,
// and all open ones of a source whose poll ended. Parameters: userIds, pairs [[userId, movieId]], since (as text), source (or null),
//   partition, partitions (of the log: a poll's marker there is about the users whose ids leave that remainder)
// Returns: eventId, userId, movieId, source, startedAt, lastSeenAt, finishedAt, abandonedAt (as text), finishId,
//   pollsSinceSeen
CALL () {
  UNWIND $userIds AS userId
  MATCH (user:User {userId: userId})-[viewing:WATCHED]->(movie:Movie)
  WHERE viewing.pollsSinceSeen IS NOT NULL OR viewing.lastSeenAt > localdatetime($since)
  RETURN user, viewing, movie
  UNION
  UNWIND $pairs AS pair
  MATCH (user:User {userId: pair[0]})
  MATCH (movie:Movie {movieId: pair[1]})
  MATCH (user)-[viewing:WATCHED]->(movie)
  RETURN user, viewing, movie
  UNION
  MATCH (user:User)-[viewing:WATCHED]->(movie:Movie)
  WHERE viewing.pollsSinceSeen >= 0 AND viewing.source = $source AND user.userId % $partitions = $partition
  RETURN user, viewing, movie
}
RETURN viewing.eventId AS eventId, user.userId AS userId, movie.movieId AS movieId, viewing.source AS source,
       toString(viewing.startedAt) AS startedAt, toString(viewing.lastSeenAt) AS lastSeenAt,
       toString(viewing.finishedAt) AS finishedAt, toString(viewing.abandonedAt) AS abandonedAt,
       viewing.finishId AS finishId,
       coalesce(viewing.pollsSinceSeen, 0) AS pollsSinceSeen
