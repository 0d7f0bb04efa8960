// The edges among a movie and the movies most similar to it. Parameters: movieId, neighbours (how many)
// Returns: source, target (titles), weight; largest weight first
MATCH (catalogue:Catalogue)
MATCH (movie:Movie {movieId: $movieId})-[similar:SIMILAR]->(neighbour:Movie)
WHERE similar.version IN [catalogue.model, 'incremental'] AND similar.weight > 0
WITH catalogue, movie, neighbour
ORDER BY similar.weight DESC
LIMIT $neighbours
WITH catalogue, movie, collect(neighbour) AS neighbours
WITH catalogue, [movie] + neighbours AS movies
UNWIND movies AS source
MATCH (source)-[similar:SIMILAR]->(target:Movie)
WHERE target IN movies AND similar.version IN [catalogue.model, 'incremental'] AND similar.weight > 0
RETURN source.title AS source, target.title AS target, similar.weight AS weight
ORDER BY weight DESC, source, target
