// Lists of recommendations that were stored in some batches, without what may not be offered any more.
// Parameters: after, until (sequence numbers; after is left out)
// Returns: sequence, userId, batchId, basis, modelVersion, at,
//   recommendations [{movieId, title, year, score, current, because [{movieId, title, contribution}]}]; oldest first
MATCH (user:User)-[edge:RECOMMENDED]->(movie:Movie)
WHERE edge.sequence > $after AND edge.sequence <= $until
  AND movie.title IS NOT NULL AND coalesce(movie.available, true)
CALL (edge) {
  UNWIND CASE WHEN size(edge.because) = 0 THEN [] ELSE range(0, size(edge.because) - 1) END AS position
  MATCH (reason:Movie {movieId: edge.because[position]})
  WITH reason, edge.contributions[position] AS contribution
  ORDER BY contribution DESC, reason.movieId
  RETURN collect({movieId: reason.movieId, title: reason.title, contribution: contribution}) AS because
}
WITH user, edge, movie, because
ORDER BY edge.rank
WITH edge.sequence AS sequence, user.userId AS userId, edge.batchId AS batchId, edge.basis AS basis,
     edge.modelVersion AS modelVersion, edge.at AS at,
     collect({movieId: movie.movieId, title: movie.title, year: movie.year, score: edge.score,
              current: coalesce(edge.current, 0.0), because: because}) AS recommendations
RETURN sequence, userId, batchId, basis, modelVersion, at, recommendations
ORDER BY sequence, userId
