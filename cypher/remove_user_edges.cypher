// Remove some of a user's edges and keep the movies' statistics true. Parameters: userId, limit, countedFrom (stars)
// Returns: kinds (the type of each edge that was removed), moves [[movieId, [[before, after]]]] (as text or null: with what
//   the user counted for the movies of removed edges (graph.recency), and does now); no row if none was left
MATCH (user:User {userId: $userId})-[edge]->(movie:Movie)
WITH user, edge, movie
LIMIT $limit
WITH user, collect(edge) AS removed, collect(DISTINCT movie) AS movies
CALL (user, removed, movies) {
  MATCH (user)-[edge:RATED|WATCHED]->(movie)
  WHERE movie IN movies AND (edge.rating >= $countedFrom OR edge.finishedAt IS NOT NULL)
  WITH movie, coalesce(edge.at, edge.finishedAt) AS moment, edge IN removed AS goes
  WITH movie, max(moment) AS before, max(CASE WHEN NOT goes THEN moment END) AS after
  WHERE after IS NULL OR after < before
  RETURN collect([movie.movieId, [[toString(before), toString(after)]]]) AS moves
}
CALL (removed) {
  UNWIND removed AS edge
  WITH edge, endNode(edge) AS movie, type(edge) AS kind, edge.rating AS stars
  FOREACH (rated IN CASE WHEN kind = 'RATED' THEN [movie] ELSE [] END |
    SET rated.ratingMean = CASE WHEN rated.ratingCount > 1
          THEN (rated.ratingMean * rated.ratingCount - stars) / (rated.ratingCount - 1) END,
        rated.ratingCount = rated.ratingCount - 1)
  DELETE edge
  RETURN collect(kind) AS kinds
}
RETURN kinds, moves
