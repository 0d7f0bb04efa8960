// Keep, of the live ratings that a later one replaced, the last one: should the later one be taken back, it comes back.
// Parameters: rows [{userId, movieId, rating, at, eventId}], the earliest first (at as text)
UNWIND $rows AS row
WITH row, localdatetime(row.at) AS at
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
MATCH (user)-[rated:RATED]->(movie)
WHERE (at < rated.at OR at = rated.at AND row.eventId < rated.eventId)
  AND (rated.priorAt IS NULL OR rated.priorAt < at OR rated.priorAt = at AND rated.priorEventId < row.eventId)
  AND coalesce(rated.bulkAt < at, true) AND rated.eventId <> row.eventId
SET rated.priorRating = row.rating, rated.priorAt = at, rated.priorEventId = row.eventId
