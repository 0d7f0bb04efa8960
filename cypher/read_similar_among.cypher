// How alike some movies are to each other. Parameters: movieIds. Returns: source, target (movie ids), weight (above 0)
MATCH (catalogue:Catalogue)
WITH catalogue.model AS version
UNWIND $movieIds AS movieId
MATCH (source:Movie {movieId: movieId})-[similar:SIMILAR]->(target:Movie)
WHERE similar.version IN [version, 'incremental'] AND similar.weight > 0 AND target.movieId IN $movieIds
RETURN movieId AS source, target.movieId AS target, similar.weight AS weight
