// What counts of users and movies (graph.recency). Parameters: pairs [[userId, movieId]] by user and movie, countedFrom (stars)
// Returns: counted [[userId, movieId, at]] (an entry for each viewing and rating; at as text): one record, since each costs the
//   driver as much as its content
UNWIND $pairs AS pair
MATCH (user:User {userId: pair[0]})
MATCH (movie:Movie {movieId: pair[1]})
MATCH (user)-[edge:RATED|WATCHED]->(movie)
WHERE edge.finishedAt IS NOT NULL OR edge.rating >= $countedFrom
RETURN collect([pair[0], pair[1], toString(coalesce(edge.at, edge.finishedAt))]) AS counted
