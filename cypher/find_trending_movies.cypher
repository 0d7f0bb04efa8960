// Movies watched most lately, by the half-life of the version in use: a walk down the index, as far as the page needs.
// Parameters: userId (whose seen movies are left out; null for nobody), exclude, genre, yearFrom, yearTo, offset, limit,
//   halfLife (days, where there is no version)
// Returns: movieId, title, year, score (persons, decayed until the graph's clock), available (true)
CALL () {
  OPTIONAL MATCH (:User {userId: $userId})-[interaction:RATED|WATCHED|LIKED]->(movie:Movie)
  WHERE coalesce(interaction.value, -1) = -1
  RETURN collect(DISTINCT movie) AS seen
}
MATCH (movie:Movie)
USING INDEX movie:Movie(recent)
WHERE movie.recent > -1e300
  AND movie.title IS NOT NULL
  AND NOT movie IN seen
  AND NOT movie.movieId IN $exclude
  AND coalesce(movie.available, true)
  AND ($genre IS NULL OR $genre IN movie.genres)
  AND ($yearFrom IS NULL OR movie.year >= $yearFrom)
  AND ($yearTo IS NULL OR movie.year <= $yearTo)
WITH movie
ORDER BY movie.recent DESC, movie.movieId
SKIP $offset LIMIT $limit
MATCH (applied:Sequence {name: 'applied'})
OPTIONAL MATCH (catalogue:Catalogue)
OPTIONAL MATCH (model:Model {version: catalogue.model})
WITH movie, coalesce(model.halfLife, $halfLife) AS halfLife,
     duration.inSeconds(localdatetime('1970-01-01'), applied.newestAt).milliseconds / 86400000.0 AS now
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year,
       2 ^ (movie['recent' + halfLife] - now / halfLife) AS score, // `recent` may still be that of the version before
       true AS available
ORDER BY movie.recent DESC, movieId
