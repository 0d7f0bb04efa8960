// What counts of a user (graph.recency). Parameters: userId, countedFrom (stars)
// Returns: counted [[userId, movieId, finishedAt, ratedAt]] (an entry for each viewing and rating, as text or null)
MATCH (:User {userId: $userId})-[edge:RATED|WATCHED]->(movie:Movie)
WHERE edge.finishedAt IS NOT NULL OR edge.rating >= $countedFrom
RETURN collect([$userId, movie.movieId, toString(edge.finishedAt), toString(edge.at)]) AS counted
