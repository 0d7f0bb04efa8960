// Write STARS edges of a version that is not in use yet.
// Parameters: version, edges [[target, neighbour, weight, ratedWeight]]
UNWIND $edges AS edge
MATCH (target:Movie {movieId: edge[0]})
MATCH (neighbour:Movie {movieId: edge[1]})
CREATE (target)-[:STARS {weight: edge[2], ratedWeight: edge[3], version: $version}]->(neighbour)
