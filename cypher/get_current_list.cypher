// A user's newest stored list, if nothing has happened since that would make it another one: what the traversal would find.
// Parameters: userId, reach (batches that are looked back, no more than there are notes of), since (lists made before are
//   too old: what is current has changed)
// Returns: userId, basis, modelVersion, generatedAt, basedOn, recommendations [{movieId, title, year, score,
//   current, because [{movieId, title, contribution}]}]
MATCH (user:User {userId: $userId})-[offer:RECOMMENDED]->()
WITH user, offer
ORDER BY offer.sequence DESC
LIMIT 1
MATCH (applied:Sequence {name: 'applied'})
MATCH (catalogue:Catalogue {model: offer.modelVersion})
WHERE offer.basedOn >= applied.value - $reach AND offer.at >= $since
  AND NOT EXISTS {
    MATCH (change:Change)
    WHERE change.sequence > offer.basedOn AND (change.userIds IS NULL OR $userId IN change.userIds)
  }
MATCH (user)-[edge:RECOMMENDED {batchId: offer.batchId}]->(movie:Movie)
USING INDEX SEEK edge:RECOMMENDED(batchId) // an early plan was once to read the lists of all users
WHERE movie.title IS NOT NULL AND coalesce(movie.available, true)
CALL (edge) {
  UNWIND CASE WHEN size(edge.because) = 0 THEN [] ELSE range(0, size(edge.because) - 1) END AS position
  MATCH (reason:Movie {movieId: edge.because[position]})
  WITH reason, edge.contributions[position] AS contribution
  ORDER BY contribution DESC, reason.movieId
  RETURN collect({movieId: reason.movieId, title: reason.title, contribution: contribution}) AS because
}
WITH offer, edge, movie, because
ORDER BY edge.rank
RETURN $userId AS userId, offer.basis AS basis, offer.modelVersion AS modelVersion, offer.at AS generatedAt,
       offer.basedOn AS basedOn,
       collect({movieId: movie.movieId, title: movie.title, year: movie.year, score: edge.score,
                current: coalesce(edge.current, 0.0), because: because})
         AS recommendations
