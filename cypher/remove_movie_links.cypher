// Remove some of the edges between a deleted movie and others. Parameters: movieId, limit. Returns: removed (how many)
MATCH (:Movie {movieId: $movieId})-[edge:SIMILAR|STARS]-(:Movie)
WITH DISTINCT edge
LIMIT $limit
DELETE edge
RETURN count(*) AS removed
