// Take back viewings by the event that began them, and the end of viewings by the event that told of it, each counted at the event.
// Parameters: eventIds. Returns: removed, reopened
CALL () {
  UNWIND $eventIds AS eventId
  MATCH (undone:Undone {eventId: eventId})
  MATCH (user:User)-[viewing:WATCHED {eventId: eventId}]->(movie:Movie)
  USING INDEX SEEK viewing:WATCHED(eventId)
  CALL (user, viewing, movie) {
    MATCH (user)-[hit:RECOMMENDED]->(movie)
    WHERE hit.hitAt = viewing.startedAt
    REMOVE hit.hitAt
  }
  // The event that finished it would make another viewing of it, were it applied again.
  FOREACH (finishId IN [id IN [viewing.finishId] WHERE id IS NOT NULL] |
    MERGE (finish:Undone {eventId: finishId}) SET finish.userId = user.userId)
  SET undone.effects = coalesce(undone.effects, 0) + 1
  DELETE viewing
  RETURN count(*) AS removed
}
CALL () {
  UNWIND $eventIds AS eventId
  MATCH (undone:Undone {eventId: eventId})
  MATCH (:User)-[viewing:WATCHED {finishId: eventId}]->(:Movie)
  USING INDEX SEEK viewing:WATCHED(finishId)
  SET viewing.pollsSinceSeen = 0, undone.effects = coalesce(undone.effects, 0) + 1
  REMOVE viewing.finishedAt, viewing.finishId
  RETURN count(*) AS reopened
}
RETURN removed, reopened
