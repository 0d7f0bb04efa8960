// Store lists of recommendations, each as its user's newest batch, and remove that user's batches from before the hit
// window. The same batch twice is stored once, and none for a user who was erased meanwhile.
// Parameters: sequence, oldest (as text), lists [{userId, batchId, at, basis, modelVersion, basedOn (a batch's number, or null),
//   recommendations [{movieId, rank, score, current, because, contributions}]}] (at as text)
// Returns: stored (how many edges were made)
UNWIND $lists AS list
MATCH (user:User {userId: list.userId})
WHERE NOT EXISTS { (user)-[:RECOMMENDED {batchId: list.batchId}]->() }
  AND NOT EXISTS { MATCH (erased:Erased {userId: list.userId}) WHERE erased.liftedAt IS NULL }
WITH user, list, localdatetime(list.at) AS at
CALL (user) {
  MATCH (user)-[old:RECOMMENDED]->()
  WHERE old.at < localdatetime($oldest)
  DELETE old
}
UNWIND list.recommendations AS row
MATCH (movie:Movie {movieId: row.movieId})
CREATE (user)-[:RECOMMENDED {
  batchId: list.batchId, rank: row.rank, score: row.score, current: row.current, because: row.because,
  contributions: row.contributions,
  basis: list.basis, modelVersion: list.modelVersion, at: at, sequence: $sequence, basedOn: list.basedOn
}]->(movie)
RETURN count(*) AS stored
