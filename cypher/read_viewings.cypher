// The viewings that new events of these users can change, or that tell when a viewing that is told of late ended: their
// open ones and those that ended since the earliest event; and all open ones of a source whose poll ended.
// Parameters: userIds, since (as text), source (or null),
//   partition, partitions (of the log: a poll's marker there is about the users whose ids leave that remainder)
// Returns: viewings [[eventId, userId, movieId, source, startedAt, lastSeenAt, finishedAt, abandonedAt, finishId,
//   pollsSinceSeen]] (moments as text): one record, since each costs the driver as much as its content
CALL () {
  UNWIND $userIds AS userId
  MATCH (user:User {userId: userId})-[viewing:WATCHED]->(movie:Movie)
  WHERE viewing.pollsSinceSeen IS NOT NULL
     OR coalesce(viewing.finishedAt, viewing.abandonedAt) >= localdatetime($since)
  RETURN user, viewing, movie
  UNION
  MATCH (user:User)-[viewing:WATCHED]->(movie:Movie)
  WHERE viewing.pollsSinceSeen >= 0 AND viewing.source = $source AND user.userId % $partitions = $partition
  RETURN user, viewing, movie
}
RETURN collect([
  viewing.eventId,
  user.userId,
  movie.movieId,
  viewing.source,
  toString(viewing.startedAt),
  toString(viewing.lastSeenAt),
  toString(viewing.finishedAt),
  toString(viewing.abandonedAt),
  viewing.finishId,
  coalesce(viewing.pollsSinceSeen, 0)
]) AS viewings
