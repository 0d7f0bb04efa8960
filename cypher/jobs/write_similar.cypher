// Write SIMILAR edges of a version that is not in use yet. Parameters: version, edges [[source, target, weight, rank]]
UNWIND $edges AS edge
MATCH (source:Movie {movieId: edge[0]})
MATCH (target:Movie {movieId: edge[1]})
CREATE (source)-[:SIMILAR {weight: edge[2], rank: edge[3], version: $version}]->(target)
