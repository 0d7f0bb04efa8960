// Take back ratings; what each replaced comes back. The movies' statistics stay true. Parameters: eventIds. Returns: removed
UNWIND $eventIds AS eventId
MATCH (:User)-[rated:RATED {eventId: eventId}]->(movie:Movie)
WITH rated, movie, rated.rating AS undone, rated.priorRating AS prior
SET movie.ratingCount = movie.ratingCount - CASE WHEN prior IS NULL THEN 1 ELSE 0 END,
    movie.ratingMean = CASE
      WHEN prior IS NOT NULL THEN movie.ratingMean + (prior - undone) / movie.ratingCount
      WHEN movie.ratingCount > 1 THEN (movie.ratingMean * movie.ratingCount - undone) / (movie.ratingCount - 1)
    END
FOREACH (known IN CASE WHEN prior IS NULL THEN [] ELSE [rated] END |
  SET known.rating = prior, known.at = known.priorAt, known.eventId = known.priorEventId
  REMOVE known.priorRating, known.priorAt, known.priorEventId)
FOREACH (known IN CASE WHEN prior IS NULL THEN [rated] ELSE [] END | DELETE known)
RETURN count(*) AS removed
