// The edges of a version. Parameters: version. Returns: source, target (movie ids), weight
MATCH (source:Movie)-[similar:SIMILAR]->(target:Movie)
WHERE similar.version = $version
RETURN source.movieId AS source, target.movieId AS target, similar.weight AS weight
