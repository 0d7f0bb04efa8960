// How alike some movies are to each other, in one row: reading one for each of thousands of pairs takes a client longer.
// Parameters: movieIds. Returns: sources, targets (movie ids), weights (above 0), all in one order
MATCH (catalogue:Catalogue)
WITH catalogue.model AS version
UNWIND $movieIds AS movieId
MATCH (source:Movie {movieId: movieId})-[similar:SIMILAR]->(target:Movie)
WHERE similar.version IN [version, 'incremental'] AND similar.weight > 0 AND target.movieId IN $movieIds
RETURN collect(movieId) AS sources, collect(target.movieId) AS targets, collect(similar.weight) AS weights
