// Which events change nothing any more: they were taken back, or are in the graph as what began or ended a viewing or as
// a rating that was replaced since. Parameters: eventIds. Returns: eventId
UNWIND $eventIds AS eventId
CALL (eventId) {
  MATCH (:Undone {eventId: eventId})
  RETURN true AS known
  UNION
  MATCH (:User)-[:WATCHED {eventId: eventId}]->(:Movie)
  RETURN true AS known
  UNION
  MATCH (:User)-[:WATCHED {finishId: eventId}]->(:Movie)
  RETURN true AS known
  UNION
  MATCH (:User)-[:RATED {priorEventId: eventId}]->(:Movie)
  RETURN true AS known
}
RETURN eventId
