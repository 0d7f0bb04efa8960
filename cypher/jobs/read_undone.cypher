// Which events were taken back. Parameters: none. Returns: eventId
MATCH (undone:Undone)
RETURN undone.eventId AS eventId
