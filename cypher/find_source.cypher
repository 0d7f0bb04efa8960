// A movie from which the model in use leads to others. Parameters: none
// Returns: movieId
MATCH (catalogue:Catalogue)
WITH catalogue.model AS version
MATCH (movie:Movie)
WHERE EXISTS { (movie)-[similar:SIMILAR]->() WHERE similar.version = version }
RETURN movie.movieId AS movieId
LIMIT 1
