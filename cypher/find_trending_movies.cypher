// Movies watched most since a moment, a viewing of age t counting 2^(−t / halfLifeDays); of many, the newest count.
// Parameters: userId (whose seen movies are left out; null for nobody), since, now, mostViewings, halfLifeDays, exclude,
//   genre, yearFrom, yearTo, offset, limit
// Returns: movieId, title, year, score (viewings, decayed)
CALL () {
  OPTIONAL MATCH (:User {userId: $userId})-[interaction:RATED|WATCHED|LIKED]->(movie:Movie)
  WHERE coalesce(interaction.value, -1) = -1
  RETURN collect(DISTINCT movie) AS seen
}
CALL () {
  MATCH ()-[watched:WATCHED]->(movie:Movie)
  WHERE watched.startedAt > $since AND watched.startedAt <= $now AND watched.abandonedAt IS NULL
  WITH watched, movie
  ORDER BY watched.startedAt DESC // as they are in the index
  LIMIT $mostViewings
  RETURN movie,
         sum(2 ^ (-duration.inSeconds(watched.startedAt, $now).milliseconds / (86400000.0 * $halfLifeDays))) AS score
}
WITH movie, score, seen
WHERE NOT movie IN seen
  AND NOT movie.movieId IN $exclude
  AND coalesce(movie.available, true)
  AND ($genre IS NULL OR $genre IN movie.genres)
  AND ($yearFrom IS NULL OR movie.year >= $yearFrom)
  AND ($yearTo IS NULL OR movie.year <= $yearTo)
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year, score
ORDER BY score DESC, movieId
SKIP $offset LIMIT $limit
