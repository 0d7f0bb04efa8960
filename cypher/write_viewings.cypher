// Write viewings as they now stand. Parameters: sequence,
//   viewings [{eventId, userId, movieId, source, startedAt, lastSeenAt, finishedAt, abandonedAt, finishId, pollsSinceSeen, changed}]
//   by user, movie (changed: started or ended just now, so that followers of the sequence are told)
UNWIND $viewings AS row
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
MERGE (user)-[viewing:WATCHED {eventId: row.eventId}]->(movie)
SET viewing.source = row.source,
    viewing.startedAt = row.startedAt,
    viewing.lastSeenAt = row.lastSeenAt,
    viewing.finishedAt = row.finishedAt,
    viewing.abandonedAt = row.abandonedAt,
    viewing.finishId = row.finishId,
    viewing.pollsSinceSeen = CASE WHEN coalesce(row.finishedAt, row.abandonedAt) IS NULL THEN row.pollsSinceSeen END,
    viewing.sequence = CASE WHEN row.changed THEN $sequence ELSE viewing.sequence END
