// Remember that events do not count, whether they have come yet or come again, and whose they are.
// Parameters: rows [{eventId, userId (null: not known)}]
// Returns: effects (how many edges were taken back with them before)
UNWIND $rows AS row
MERGE (undone:Undone {eventId: row.eventId})
SET undone.userId = coalesce(row.userId, undone.userId)
RETURN coalesce(sum(undone.effects), 0) AS effects
