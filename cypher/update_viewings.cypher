// Bring viewings up to date. Parameters: sequence, viewings [{eventId, startedAt, lastSeenAt, finishedAt, abandonedAt, finishId,
//   pollsSinceSeen, told}] by user, movie (moments as text; told: followers of the sequence must hear of it)
UNWIND $viewings AS row
MATCH (:User)-[viewing:WATCHED {eventId: row.eventId}]->(:Movie)
SET viewing.startedAt = localdatetime(row.startedAt),
    viewing.lastSeenAt = localdatetime(row.lastSeenAt),
    viewing.finishedAt = localdatetime(row.finishedAt),
    viewing.abandonedAt = localdatetime(row.abandonedAt),
    viewing.finishId = row.finishId,
    viewing.pollsSinceSeen = CASE WHEN coalesce(row.finishedAt, row.abandonedAt) IS NULL THEN row.pollsSinceSeen END,
    viewing.sequence = CASE WHEN row.told THEN $sequence ELSE viewing.sequence END
