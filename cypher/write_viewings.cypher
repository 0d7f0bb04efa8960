// Write viewings as they now stand. Parameters: sequence,
//   viewings [{eventId, userId, movieId, source, startedAt, lastSeenAt, finishedAt, pollsSinceSeen, changed}] by user, movie
//   (changed: started or finished just now, so that followers of the sequence are told)
UNWIND $viewings AS row
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
MERGE (user)-[viewing:WATCHED {eventId: row.eventId}]->(movie)
SET viewing.source = row.source,
    viewing.startedAt = row.startedAt,
    viewing.lastSeenAt = row.lastSeenAt,
    viewing.finishedAt = row.finishedAt,
    viewing.pollsSinceSeen = CASE WHEN row.finishedAt IS NULL THEN row.pollsSinceSeen END,
    viewing.sequence = CASE WHEN row.changed THEN $sequence ELSE viewing.sequence END
