// Which movies the version in use does not know. Parameters: movieIds. Returns: movieId
MATCH (catalogue:Catalogue)
WHERE catalogue.model IS NOT NULL
WITH catalogue.model AS version
UNWIND $movieIds AS movieId
MATCH (movie:Movie {movieId: movieId})
WHERE NOT EXISTS { (movie)-[:SIMILAR {version: version}]-() }
RETURN movieId
