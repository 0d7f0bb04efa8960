// Count from their edges how much some movies were watched lately (graph.recency): each costs as much as it has edges.
// Parameters: movieIds, halfLives (days), countedFrom (stars)
// Returns: movies [[movieId, viewers, newest (as text), sums]] (a sum for each half-life, of 2^((t − newest)/half-life));
//   movies that nobody counts for are absent
UNWIND $movieIds AS movieId
MATCH (movie:Movie {movieId: movieId})
CALL (movie) {
  MATCH (user:User)-[edge:RATED|WATCHED]->(movie)
  WHERE edge.rating >= $countedFrom OR edge.finishedAt IS NOT NULL
  WITH user, max(coalesce(edge.at, edge.finishedAt)) AS moment
  WITH collect(moment) AS moments, max(moment) AS newest
  RETURN newest, [moment IN moments | duration.inSeconds(newest, moment).milliseconds / 86400000.0] AS days
}
WITH movieId, newest, days
WHERE newest IS NOT NULL
RETURN collect([
  movieId,
  size(days),
  toString(newest),
  [halfLife IN $halfLives | reduce(total = 0.0, day IN days | total + 2.0 ^ (day / halfLife))]
]) AS movies
