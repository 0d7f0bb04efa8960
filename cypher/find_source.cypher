// The most rated movie from which the model in use leads to others. Parameters: none
// Returns: movieId
MATCH (catalogue:Catalogue)
MATCH (movie:Movie)
WHERE movie.ratingCount > 0
WITH catalogue.model AS version, movie
ORDER BY movie.ratingCount DESC
WHERE EXISTS { (movie)-[similar:SIMILAR]->() WHERE similar.version = version }
RETURN movie.movieId AS movieId
LIMIT 1
