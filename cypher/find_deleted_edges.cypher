// Users who have edges to a deleted movie from before it was deleted. Parameters: movieId, limit (edges that are looked at)
// Returns: userIds
MATCH (deleted:DeletedMovie {movieId: $movieId})
MATCH (user:User)-[edge]->(:Movie {movieId: $movieId})
WHERE coalesce(coalesce(edge.at, edge.finishedAt, edge.lastSeenAt) <= deleted.at, true)
WITH user
LIMIT $limit
RETURN collect(DISTINCT user.userId) AS userIds
