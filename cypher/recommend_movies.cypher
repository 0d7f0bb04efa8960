// Movies for a user, for an anonymous list of movies, or for both: history → SIMILAR → candidates.
// Parameters:
//   userId          whose interactions make the history; null for none
//   movieIds        movies of the session, counted like movies just finished
//   weights         of an interaction by its kind: rated (a list, by half star), finished, started, liked, disliked,
//                   listed, clicked
//   recencyBoost, recencyDays   an interaction of age t counts (1 + boost · 2^(−t / days)) times
//   historyLimit    interactions that are followed, the weightiest first
//   onlyMovieId     the one candidate that is asked for; null for all
//   exclude, genre, yearFrom, yearTo   what is left out; genre and years may be null
//   offset, limit, reasonLimit, now
// Returns: movieId, title, year, score, because [{movieId, title, contribution}] (largest first), modelVersion
MATCH (model:Model {current: true})
CALL () {
  MATCH (:User {userId: $userId})-[interaction:RATED|WATCHED|LIKED|LISTED|CLICKED]->(movie:Movie)
  RETURN movie,
         // The most telling kind speaks for the movie: lists compare by their first element.
         CASE type(interaction)
           WHEN 'LIKED' THEN [5, CASE interaction.value WHEN 1 THEN $weights.liked ELSE $weights.disliked END]
           WHEN 'RATED' THEN [4, $weights.rated[toInteger(interaction.rating * 2) - 1]]
           WHEN 'WATCHED' THEN [3, CASE WHEN interaction.finishedAt IS NULL THEN $weights.started
                                        ELSE $weights.finished END]
           WHEN 'LISTED' THEN [2, $weights.listed]
           ELSE [1, $weights.clicked]
         END AS kind,
         coalesce(interaction.at, interaction.finishedAt, interaction.lastSeenAt) AS at,
         type(interaction) IN ['RATED', 'WATCHED'] OR coalesce(interaction.value, 1) = -1 AS seen
  UNION ALL
  UNWIND $movieIds AS movieId
  MATCH (movie:Movie {movieId: movieId})
  RETURN movie, [3, $weights.finished] AS kind, $now AS at, true AS seen
}
WITH model, movie, max(kind)[1] AS weight, max(at) AS at, max(CASE WHEN seen THEN 1 ELSE 0 END) AS seen
WITH model, movie, seen, at,
     weight * (1 + $recencyBoost * 2 ^ (-duration.inSeconds(at, $now).seconds / (86400.0 * $recencyDays))) AS weight
ORDER BY abs(weight) DESC, at DESC, movie.movieId
WITH model,
     collect(CASE WHEN weight <> 0 THEN {movie: movie, weight: weight} END)[..$historyLimit] AS history,
     collect(CASE WHEN seen = 1 THEN movie END) AS seen
CALL (model, history, seen) {
  UNWIND history AS step
  WITH step.movie AS source, step.weight AS weight
  MATCH (source)-[similar:SIMILAR {version: model.version}]->(candidate:Movie)
  WHERE $onlyMovieId IS NULL OR candidate.movieId = $onlyMovieId
  WITH candidate, sum(weight * similar.weight) AS score
  WHERE NOT candidate IN seen
    AND NOT candidate.movieId IN $exclude
    AND coalesce(candidate.available, true)
    AND ($genre IS NULL OR $genre IN candidate.genres)
    AND ($yearFrom IS NULL OR candidate.year >= $yearFrom)
    AND ($yearTo IS NULL OR candidate.year <= $yearTo)
  RETURN candidate, score
  ORDER BY score DESC, candidate.movieId
  SKIP $offset LIMIT $limit
}
WITH model, history, collect({movie: candidate, score: score}) AS found, collect(candidate) AS candidates
CALL (model, history, candidates) {
  UNWIND history AS step
  WITH step.movie AS source, step.weight AS weight
  MATCH (source)-[similar:SIMILAR {version: model.version}]->(candidate:Movie)
  WHERE candidate IN candidates
  WITH candidate, source, weight * similar.weight AS contribution
  ORDER BY contribution DESC, source.movieId
  RETURN candidate, collect({movieId: source.movieId, title: source.title, contribution: contribution}) AS because
}
WITH model, candidate, because, [entry IN found WHERE entry.movie = candidate | entry.score][0] AS score
RETURN candidate.movieId AS movieId, candidate.title AS title, candidate.year AS year, score,
       because[..$reasonLimit] AS because, model.version AS modelVersion
ORDER BY score DESC, movieId
