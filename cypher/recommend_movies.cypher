// Movies for a user, for an anonymous list of movies, or for both: history → SIMILAR → candidates.
// Parameters:
//   userId          whose interactions make the history; null for none
//   movieIds        movies of the session, counted like movies just finished; they have no order, so one without a
//                   user wants no boost and a limit of all of them
//   weights         of an interaction by its kind: rated (a list, by half star), finished, started, abandoned,
//                   liked, disliked, listed, clicked
//   placeBoost, placeDecay   the newest interaction but n counts (1 + boost · decay^n) times
//   historyLimit    interactions that are followed, the newest that count
//   onlyMovieId     the one candidate that is asked for; null for all
//   exclude, genre, yearFrom, yearTo   what is left out; genre and years may be null
//   offset, limit, reasonLimit, now
// Returns: movieId, title, year, score, because [{movieId, title, contribution}] (largest first), modelVersion,
//   sequence (number of a batch; it and all before are taken into account)
OPTIONAL MATCH (applied:Sequence {name: 'applied'})
MATCH (catalogue:Catalogue)
CALL () { // a batch is whole when the index finds its note: its number may be read some milliseconds before
  MATCH (change:Change)
  USING INDEX change:Change(sequence)
  WHERE change.sequence > 0
  RETURN max(change.sequence) AS noted
}
WITH catalogue.model AS version, coalesce(noted, applied.value, 0) AS sequence // read before everything else
CALL () {
  CALL () {
    MATCH (:User {userId: $userId})-[:RATED]->(movie:Movie)
    RETURN movie
    UNION ALL
    MATCH (:User {userId: $userId})-[watched:WATCHED]->(movie:Movie)
    WHERE watched.abandonedAt IS NULL
    RETURN movie
    UNION ALL
    MATCH (:User {userId: $userId})-[:LIKED {value: -1}]->(movie:Movie)
    RETURN movie
    UNION ALL
    UNWIND $movieIds AS movieId
    MATCH (movie:Movie {movieId: movieId})
    RETURN movie
  }
  RETURN collect(DISTINCT movie) AS seen
}
CALL () {
  CALL () {
    MATCH (:User {userId: $userId})-[interaction:RATED|WATCHED|LIKED|LISTED|CLICKED]->(movie:Movie)
    WITH movie, interaction, coalesce(interaction.at, interaction.finishedAt, interaction.lastSeenAt) AS at
    ORDER BY at DESC, movie.movieId
    LIMIT $historyLimit * 10 // a movie may have several
    RETURN movie, at,
           // The most telling kind speaks for the movie: lists compare by their first element.
           CASE type(interaction)
             WHEN 'LIKED' THEN [5, CASE interaction.value WHEN 1 THEN $weights.liked ELSE $weights.disliked END]
             WHEN 'RATED' THEN [4, $weights.rated[toInteger(interaction.rating * 2) - 1]]
             WHEN 'WATCHED' THEN [CASE WHEN interaction.abandonedAt IS NULL THEN 3 ELSE 0 END,
                                  CASE WHEN interaction.finishedAt IS NOT NULL THEN $weights.finished
                                          WHEN interaction.abandonedAt IS NOT NULL THEN $weights.abandoned
                                          ELSE $weights.started END]
             WHEN 'LISTED' THEN [2, $weights.listed]
             ELSE [1, $weights.clicked]
           END AS kind
    UNION ALL
    UNWIND $movieIds AS movieId
    MATCH (movie:Movie {movieId: movieId})
    RETURN movie, $now AS at, [3, $weights.finished] AS kind
  }
  WITH movie, max(at) AS at, max(kind)[1] AS weight
  ORDER BY at DESC, movie.movieId
  WITH collect({movie: movie, weight: weight}) AS newest
  // One list in one row: rows that are sorted again would each be charged with the whole list.
  RETURN [place IN range(0, size(newest) - 1) WHERE newest[place].weight <> 0 |
          {movie: newest[place].movie, weight: newest[place].weight * (1 + $placeBoost * $placeDecay ^ place)}
         ][..$historyLimit] AS history
}
CALL (version, history, seen) {
  UNWIND history AS step
  WITH step.movie AS source, step.weight AS weight
  MATCH (source)-[similar:SIMILAR]->(candidate) // without a label: one check less for each of thousands
  WHERE (similar.version = version OR similar.version = 'incremental')
    AND ($onlyMovieId IS NULL OR candidate.movieId = $onlyMovieId)
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
WITH version, sequence, history, collect({movie: candidate, score: score}) AS found, collect(candidate) AS candidates
CALL (version, history, candidates) {
  UNWIND history AS step
  WITH step.movie AS source, step.weight AS weight
  MATCH (source)-[similar:SIMILAR]->(candidate)
  WHERE candidate IN candidates AND (similar.version = version OR similar.version = 'incremental')
  WITH candidate, source, weight * similar.weight AS contribution
  ORDER BY contribution DESC, source.movieId
  RETURN candidate, collect({movieId: source.movieId, title: source.title, contribution: contribution}) AS because
}
WITH version, sequence, candidate, because, [entry IN found WHERE entry.movie = candidate | entry.score][0] AS score
RETURN candidate.movieId AS movieId, candidate.title AS title, candidate.year AS year, score,
       because[..$reasonLimit] AS because, version AS modelVersion, sequence
ORDER BY score DESC, movieId
