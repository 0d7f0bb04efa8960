// Take back likes, listings and clicks, and count that at the event. Parameters: eventIds. Returns: removed
UNWIND $eventIds AS eventId
MATCH (undone:Undone {eventId: eventId})
CALL (eventId) {
  MATCH (:User)-[mark:LIKED {eventId: eventId}]->(:Movie)
  USING INDEX SEEK mark:LIKED(eventId)
  RETURN mark
  UNION ALL
  MATCH (:User)-[mark:LISTED {eventId: eventId}]->(:Movie)
  USING INDEX SEEK mark:LISTED(eventId)
  RETURN mark
  UNION ALL
  MATCH (:User)-[mark:CLICKED {eventId: eventId}]->(:Movie)
  USING INDEX SEEK mark:CLICKED(eventId)
  RETURN mark
}
SET undone.effects = coalesce(undone.effects, 0) + 1
DELETE mark
RETURN count(*) AS removed
