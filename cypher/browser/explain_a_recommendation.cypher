// 4 Why this movie
// The paths behind one recommendation: user → movies of the history → SIMILAR → the movie, which has what makes it current
// (`viewers`, `recent1` …) as properties; alone if it is only current. The 25 largest weights; a negative weight speaks
// against the movie. GET /v1/users/{userId}/recommendations names movies to ask about, and its explanations have this
// query with their ids.
// Set first: :param userId => 1     and then: :param movieId => 318
// Parameters: userId, movieId. Returns: movie, path
MATCH (catalogue:Catalogue)
MATCH (movie:Movie {movieId: $movieId})
OPTIONAL MATCH path = (user:User {userId: $userId})-[:RATED|WATCHED|LIKED|LISTED|CLICKED]->(:Movie)
                      -[similar:SIMILAR]->(movie)
WHERE similar.version IN [catalogue.model, "incremental"]
RETURN movie, path
ORDER BY abs(similar.weight) DESC
LIMIT 25
