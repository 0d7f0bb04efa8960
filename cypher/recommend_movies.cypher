// Movies for a user, for an anonymous list of movies, or for both: history → SIMILAR → candidates, and what is current.
// How interactions count and how much what is current does are the version's (graph/serving_rule.py), read with it.
// Parameters:
//   userId          whose interactions make the history; null for none
//   movieIds        movies of the session, counted like movies just finished, all of one moment
//   rule            what to serve by where there is no version, or one that has no rule yet
//   current, historyLimit   in the place of the version's; null for the version's
//   leastExponent, largestDial   the dial's ends (graph/serving_rule.py)
//   onlyMovieId     the one candidate that is asked for; null for all
//   interactions    of a user that are looked at, the newest: the history is of these
//   exclude, genre, yearFrom, yearTo   what is left out; genre and years may be null
//   indexed         candidates of the movies watched most lately, and of those watched most ever
//   offset, limit, reasonLimit, now
// Returns: movieId, title, year, score, current (what the movie being current adds to it), lately (whether that is due to
//   those who watched it lately rather than ever), because [{movieId, title, contribution}] (largest first; with all of
//   them and `current` the score is their sum), modelVersion, sequence (number of a batch; it and all before are taken
//   into account)
OPTIONAL MATCH (applied:Sequence {name: 'applied'})
OPTIONAL MATCH (catalogue:Catalogue)
OPTIONAL MATCH (model:Model {version: catalogue.model})
CALL () { // a batch is whole when the index finds its note: its number may be read some milliseconds before
  MATCH (change:Change)
  USING INDEX change:Change(sequence)
  WHERE change.sequence > 0
  RETURN max(change.sequence) AS noted
}
CALL () { MATCH (user:User) WITH count(*) AS users RETURN CASE users WHEN 0 THEN 1 ELSE users END AS users }
WITH model.version AS version, coalesce(noted, applied.value, 0) AS sequence, // read before everything else
     CASE WHEN model.historyLimit IS NULL THEN $rule ELSE model {.*} END AS rule, users,
     datetime({datetime: coalesce(applied.newestAt, $now), timezone: 'Z'}).epochMillis / 86400000.0 AS clock // in days
WITH version, sequence, rule, users, clock, coalesce($current, rule.current) AS dial,
     coalesce($historyLimit, rule.historyLimit) AS historyLimit, 'recent' + toString(rule.halfLife) AS recent
WITH *, CASE WHEN dial >= 1 THEN 0.0 ELSE rule.tastes END AS gain,
     CASE WHEN dial >= 1 THEN 1.0
          WHEN dial > $largestDial THEN dial / (1 - $largestDial)
          WHEN dial / (1 - dial) > $leastExponent THEN dial / (1 - dial)
          ELSE $leastExponent END AS exponent
CALL (rule, historyLimit) { // before what is seen: rows that are sorted would each be charged with that list
  CALL (rule, historyLimit) {
    MATCH (:User {userId: $userId})-[interaction:RATED|WATCHED|LIKED|LISTED|CLICKED]->(movie:Movie)
    WITH movie, coalesce(interaction.at, interaction.finishedAt, interaction.lastSeenAt) AS at,
         // The most telling kind speaks for the movie: lists compare by their first element.
         CASE type(interaction)
           WHEN 'LIKED' THEN [5, CASE interaction.value WHEN 1 THEN rule.liked ELSE rule.disliked END]
           WHEN 'RATED' THEN [4, rule.rated[toInteger(interaction.rating * 2) - 1]]
           WHEN 'WATCHED' THEN [CASE WHEN interaction.abandonedAt IS NULL THEN 3 ELSE 0 END,
                                CASE WHEN interaction.finishedAt IS NOT NULL THEN rule.finished
                                        WHEN interaction.abandonedAt IS NOT NULL THEN rule.abandoned
                                        ELSE rule.started END]
           WHEN 'LISTED' THEN [2, rule.listed]
           ELSE [1, rule.clicked]
         END AS kind
    ORDER BY at DESC, kind[1] DESC, movie.movieId % 1000003 * 2654435761 % 4294967296 // says nothing of the movie
    LIMIT $interactions
    RETURN movie, at, kind
    UNION ALL
    UNWIND $movieIds AS movieId
    MATCH (movie:Movie {movieId: movieId})
    RETURN movie, $now AS at, [3, rule.finished] AS kind
  }
  WITH movie, max(at) AS at, max(kind)[1] AS weight
  WHERE weight <> 0
  WITH movie, at, weight
  ORDER BY at DESC, weight DESC, movie.movieId % 1000003 * 2654435761 % 4294967296
  WITH at, collect({movie: movie, weight: weight}) AS moment
  ORDER BY at DESC
  WITH collect(moment) AS moments
  WITH moments[..historyLimit] AS moments
  WITH moments, reduce(begins = [0], moment IN moments | begins + (begins[-1] + size(moment))) AS begins
  UNWIND range(0, size(moments) - 1) AS number
  WITH moments[number] AS moment, begins[number] AS first, begins[number + 1] AS behind
  WHERE first < historyLimit
  // What is of one moment shares the mean of its places.
  WITH moment[..toInteger(historyLimit - first)] AS moment, 1 + rule.placeBoost *
       (rule.placeDecay ^ first - rule.placeDecay ^ behind) / ((1 - rule.placeDecay) * (behind - first)) AS place
  UNWIND moment AS step
  RETURN collect({movie: step.movie, weight: step.weight * place}) AS history // one row, whatever there is
}
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
    UNWIND $movieIds + $exclude AS movieId
    MATCH (movie:Movie {movieId: movieId})
    RETURN movie
  }
  RETURN collect(DISTINCT movie) AS seen
}
WITH *, reduce(total = 0.0, step IN history | total + abs(step.weight)) AS total
CALL (rule, version, users, clock, recent, gain, exponent, seen, history, total) {
  CALL (rule, version, history, total, seen) {
    UNWIND history AS step
    WITH step.movie AS source, step.weight / total AS weight
    MATCH (source)-[similar:SIMILAR]->(candidate) // without a label: one check less for each of thousands
    WHERE (similar.version = version OR similar.version = 'incremental')
      AND ($onlyMovieId IS NULL OR candidate.movieId = $onlyMovieId)
    WITH candidate, sum(weight * similar.weight) AS taste
    WHERE taste > 0
    RETURN candidate, taste
    UNION ALL
    MATCH (candidate:Movie {movieId: $onlyMovieId})
    RETURN candidate, 0.0 AS taste
    UNION ALL
    MATCH (candidate:Movie)
    WHERE candidate.recent > -1e300
      AND $onlyMovieId IS NULL
      AND NOT candidate IN seen
      AND candidate.title IS NOT NULL
      AND coalesce(candidate.available, true)
      AND ($genre IS NULL OR $genre IN candidate.genres)
      AND ($yearFrom IS NULL OR candidate.year >= $yearFrom)
      AND ($yearTo IS NULL OR candidate.year <= $yearTo)
    RETURN candidate, 0.0 AS taste
    ORDER BY candidate.recent DESC, candidate.movieId
    LIMIT $indexed
    UNION ALL
    MATCH (candidate:Movie)
    WHERE candidate.viewers > 0
      AND $onlyMovieId IS NULL
      AND NOT candidate IN seen
      AND candidate.title IS NOT NULL
      AND coalesce(candidate.available, true)
      AND ($genre IS NULL OR $genre IN candidate.genres)
      AND ($yearFrom IS NULL OR candidate.year >= $yearFrom)
      AND ($yearTo IS NULL OR candidate.year <= $yearTo)
    RETURN candidate, 0.0 AS taste
    ORDER BY candidate.viewers DESC, candidate.movieId
    LIMIT $indexed
  }
  WITH candidate, sum(taste) AS taste
  WITH candidate, taste, 1.0 * candidate.viewers / users AS share,
       2 ^ (candidate[recent] - clock / rule.halfLife) AS decayed
  WITH candidate, taste, share, decayed, (decayed + rule.longRun * share) ^ exponent AS current
  WITH candidate, current, decayed >= rule.longRun * share AS lately, taste,
       current * gain / (share + rule.popularityOffset) AS worth
  WITH candidate, current, lately, taste, worth, current + worth * taste AS score
  ORDER BY score DESC, candidate.movieId
  // Looked at only now: few of the best are left out.
  WHERE score > 0
    AND NOT candidate IN seen
    AND candidate.title IS NOT NULL
    AND coalesce(candidate.available, true)
    AND ($genre IS NULL OR $genre IN candidate.genres)
    AND ($yearFrom IS NULL OR candidate.year >= $yearFrom)
    AND ($yearTo IS NULL OR candidate.year <= $yearTo)
  RETURN candidate, current, lately, score, CASE WHEN taste > 0 THEN worth ELSE 0.0 END AS worth
  ORDER BY score DESC, candidate.movieId
  SKIP $offset LIMIT $limit
}
WITH version, sequence, history, total,
     collect({movie: candidate, score: score, current: current, lately: lately, worth: worth}) AS found
WITH *, [entry IN found WHERE entry.worth > 0 | entry.movie] AS explained
CALL (version, history, total, explained) {
  UNWIND history AS step
  WITH step.movie AS source, step.weight / total AS weight
  MATCH (source)-[similar:SIMILAR]->(candidate)
  WHERE candidate IN explained AND (similar.version = version OR similar.version = 'incremental')
  WITH candidate, source, weight * similar.weight AS share
  ORDER BY share DESC, source.movieId
  WITH candidate, collect({movieId: source.movieId, title: source.title, share: share}) AS shares
  RETURN collect({movie: candidate, shares: shares}) AS reasons
}
UNWIND found AS entry
WITH version, sequence, entry,
     coalesce([reason IN reasons WHERE reason.movie = entry.movie | reason.shares][0], []) AS shares
RETURN entry.movie.movieId AS movieId, entry.movie.title AS title, entry.movie.year AS year, entry.score AS score,
       entry.current AS current, entry.lately AS lately,
       [share IN shares[..$reasonLimit] |
         {movieId: share.movieId, title: share.title, contribution: share.share * entry.worth}] AS because,
       version AS modelVersion, sequence
ORDER BY score DESC, movieId
