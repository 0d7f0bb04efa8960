// What counts of a user (graph.recency). Parameters: userId, countedFrom (stars)
// Returns: counted [[userId, movieId, at]] (an entry for each viewing and rating; at as text)
MATCH (:User {userId: $userId})-[edge:RATED|WATCHED]->(movie:Movie)
WHERE edge.finishedAt IS NOT NULL OR edge.rating >= $countedFrom
RETURN collect([$userId, movie.movieId, toString(coalesce(edge.at, edge.finishedAt))]) AS counted
