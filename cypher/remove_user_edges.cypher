// Remove some of a user's edges and keep the movies' statistics true. Parameters: userId, limit
// Returns: kind (type of edges), removed (how many of it); no row if none was left
MATCH (:User {userId: $userId})-[edge]->(movie:Movie)
WITH edge, movie
LIMIT $limit
WITH edge, movie, type(edge) AS kind, edge.rating AS stars
FOREACH (rated IN CASE WHEN kind = 'RATED' THEN [movie] ELSE [] END |
  SET rated.ratingMean = CASE WHEN rated.ratingCount > 1
        THEN (rated.ratingMean * rated.ratingCount - stars) / (rated.ratingCount - 1) END,
      rated.ratingCount = rated.ratingCount - 1)
DELETE edge
RETURN kind, count(*) AS removed
