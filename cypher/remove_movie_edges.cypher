// Remove some users' edges to a deleted movie from before it was deleted, and keep its statistics true.
// Parameters: movieId, userIds. Returns: removed (how many edges)
MATCH (deleted:DeletedMovie {movieId: $movieId})
MATCH (movie:Movie {movieId: $movieId})
UNWIND $userIds AS userId
MATCH (user:User {userId: userId})
MATCH (user)-[edge]->(movie)
WHERE coalesce(coalesce(edge.at, edge.finishedAt, edge.lastSeenAt) <= deleted.at, true)
WITH movie, edge, type(edge) AS kind, edge.rating AS stars
FOREACH (rated IN CASE WHEN kind = 'RATED' THEN [movie] ELSE [] END |
  SET rated.ratingMean = CASE WHEN rated.ratingCount > 1
        THEN (rated.ratingMean * rated.ratingCount - stars) / (rated.ratingCount - 1) END,
      rated.ratingCount = rated.ratingCount - 1)
DELETE edge
RETURN count(*) AS removed
