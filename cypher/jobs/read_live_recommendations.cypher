// All stored lists up to a batch of the sequence. Parameters: sequence
// Returns: type, userId, movieId, title, year, properties
MATCH (user:User)-[edge:RECOMMENDED]->(movie:Movie) USING INDEX edge:RECOMMENDED(batchId)
WHERE edge.batchId IS NOT NULL AND edge.sequence <= $sequence
RETURN type(edge) AS type, user.userId AS userId, movie.movieId AS movieId, movie.title AS title, movie.year AS year,
       properties(edge) AS properties
