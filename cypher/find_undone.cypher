// Which events were undone. Parameters: eventIds. Returns: eventId
UNWIND $eventIds AS eventId
MATCH (undone:Undone {eventId: eventId})
RETURN undone.eventId AS eventId
