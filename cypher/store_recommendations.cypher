// Store one batch of recommendations; the same batch twice is stored once, and none for a user who was erased meanwhile.
// Parameters: userId, batchId, at, basis, modelVersion, sequence,
//   recommendations [{movieId, rank, score, because, contributions}]
// Returns: stored (how many edges were made)
MATCH (user:User {userId: $userId})
WHERE NOT EXISTS { (user)-[:RECOMMENDED {batchId: $batchId}]->() }
  AND NOT EXISTS { MATCH (erased:Erased {userId: $userId}) WHERE erased.liftedAt IS NULL }
UNWIND $recommendations AS row
MATCH (movie:Movie {movieId: row.movieId})
CREATE (user)-[:RECOMMENDED {
  batchId: $batchId, rank: row.rank, score: row.score, because: row.because, contributions: row.contributions,
  basis: $basis, modelVersion: $modelVersion, at: $at, sequence: $sequence
}]->(movie)
RETURN count(*) AS stored
