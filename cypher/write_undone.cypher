// Remember that events do not count, whether they have come yet or come again. Parameters: eventIds
// Returns: effects (how many edges were taken back with them before)
UNWIND $eventIds AS eventId
MERGE (undone:Undone {eventId: eventId})
RETURN coalesce(sum(undone.effects), 0) AS effects
