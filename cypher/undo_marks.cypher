// Take back likes, listings and clicks. Parameters: eventIds. Returns: removed
UNWIND $eventIds AS eventId
CALL (eventId) {
  MATCH (:User)-[mark:LIKED {eventId: eventId}]->(:Movie)
  RETURN mark
  UNION ALL
  MATCH (:User)-[mark:LISTED {eventId: eventId}]->(:Movie)
  RETURN mark
  UNION ALL
  MATCH (:User)-[mark:CLICKED {eventId: eventId}]->(:Movie)
  RETURN mark
}
DELETE mark
RETURN count(*) AS removed
