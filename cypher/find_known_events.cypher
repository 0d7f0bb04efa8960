// Which events change nothing any more: they were taken back, or are in the graph as what began or ended a viewing or as
// a rating that was replaced since. Parameters: eventIds, undone (false: none was taken back). Returns: eventId
UNWIND CASE WHEN $undone THEN $eventIds ELSE [] END AS eventId
MATCH (:Undone {eventId: eventId})
RETURN eventId
UNION
UNWIND $eventIds AS eventId
MATCH (:User)-[:WATCHED {eventId: eventId}]->(:Movie)
RETURN eventId
UNION
UNWIND $eventIds AS eventId
MATCH (:User)-[:WATCHED {finishId: eventId}]->(:Movie)
RETURN eventId
UNION
UNWIND $eventIds AS eventId
MATCH (:User)-[:RATED {priorEventId: eventId}]->(:Movie)
RETURN eventId
