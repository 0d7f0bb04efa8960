// Which events were taken back. Parameters: none. Returns: eventId, userId (null: not known)
MATCH (undone:Undone)
RETURN undone.eventId AS eventId, undone.userId AS userId
