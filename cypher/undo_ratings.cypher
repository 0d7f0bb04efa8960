// Take back ratings; the one that each replaced comes back, unless that was taken back too, else the bulk-loaded one. The
// movies' statistics stay true, and it is counted at the event. Parameters: eventIds. Returns: removed
UNWIND $eventIds AS eventId
MATCH (event:Undone {eventId: eventId})
MATCH (:User)-[rated:RATED {eventId: eventId}]->(movie:Movie)
USING INDEX SEEK rated:RATED(eventId)
SET event.effects = coalesce(event.effects, 0) + 1
WITH rated, movie, rated.rating AS undone,
     CASE WHEN EXISTS { (:Undone {eventId: rated.priorEventId}) } THEN null ELSE rated.priorRating END AS prior
WITH rated, movie, undone, prior, coalesce(prior, rated.bulkRating) AS back
SET movie.ratingMean = CASE
      WHEN back IS NOT NULL THEN movie.ratingMean + (back - undone) / movie.ratingCount
      WHEN movie.ratingCount > 1 THEN (movie.ratingMean * movie.ratingCount - undone) / (movie.ratingCount - 1)
    END,
    movie.ratingCount = movie.ratingCount - CASE WHEN back IS NULL THEN 1 ELSE 0 END
FOREACH (live IN CASE WHEN prior IS NOT NULL THEN [rated] ELSE [] END |
  SET live.rating = prior, live.at = live.priorAt, live.eventId = live.priorEventId
  REMOVE live.priorRating, live.priorAt, live.priorEventId)
FOREACH (bulk IN CASE WHEN prior IS NULL AND back IS NOT NULL THEN [rated] ELSE [] END |
  SET bulk.rating = back, bulk.at = bulk.bulkAt
  REMOVE bulk.eventId, bulk.priorRating, bulk.priorAt, bulk.priorEventId, bulk.bulkRating, bulk.bulkAt)
FOREACH (gone IN CASE WHEN back IS NULL THEN [rated] ELSE [] END | DELETE gone)
RETURN count(*) AS removed
