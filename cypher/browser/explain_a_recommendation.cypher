// 4 Why this movie
// The paths behind one recommendation: user → movies of the history → SIMILAR → the movie. The 15 largest weights; a
// negative weight speaks against the movie. GET /v1/users/{userId}/recommendations names movies to ask about.
// Set first: :param userId => 1     and then: :param movieId => 318
// Parameters: userId, movieId. Returns: a graph
MATCH (catalogue:Catalogue)
MATCH path = (:User {userId: $userId})-[:RATED|WATCHED|LIKED|LISTED|CLICKED]->(:Movie)
             -[similar:SIMILAR]->(:Movie {movieId: $movieId})
WHERE similar.version IN [catalogue.model, 'incremental']
RETURN path
ORDER BY abs(similar.weight) DESC
LIMIT 15
