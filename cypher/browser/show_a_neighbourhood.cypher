// 5 Neighbourhood of a movie
// The 10 movies most similar to one movie, its edges to them, and the strongest back to it and among them.
// Set first: :param movieId => 318
// Parameters: movieId. Returns: a graph
MATCH (catalogue:Catalogue)
MATCH (movie:Movie {movieId: $movieId})-[similar:SIMILAR]->(neighbour:Movie)
WHERE similar.version IN [catalogue.model, 'incremental'] AND similar.weight > 0
WITH catalogue, movie, neighbour
ORDER BY similar.weight DESC
LIMIT 10
WITH catalogue, movie, collect(neighbour) AS neighbours
WITH catalogue, movie, [movie] + neighbours AS movies
UNWIND movies AS source
MATCH (source)-[similar:SIMILAR]->(target:Movie)
WHERE target IN movies AND similar.version IN [catalogue.model, 'incremental'] AND similar.weight > 0
RETURN source, similar, target
ORDER BY source = movie DESC, similar.weight DESC
LIMIT 30
