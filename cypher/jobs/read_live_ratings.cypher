// Ratings since the bulk load. Parameters: none. Returns: userId, movieId, rating, at
MATCH (user:User)-[rated:RATED]->(movie:Movie)
WHERE rated.eventId IS NOT NULL
RETURN user.userId AS userId, movie.movieId AS movieId, rated.rating AS rating, rated.at AS at
