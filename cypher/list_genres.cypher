// Genres and how many movies have each. Parameters: none
// Returns: genre, movies
MATCH (movie:Movie)
UNWIND movie.genres AS genre
RETURN genre, count(*) AS movies
ORDER BY genre
