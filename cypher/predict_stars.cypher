// Stars that a user would give to some movies: the baseline, and what the user's ratings of their neighbours say.
// The user's bias is made of the ratings of this moment.
// Parameters: userId, movieIds, reasonLimit
// Returns: movieId, title, year, stars (not held to the scale), deviation (standard), tastes (neighbours' share of the
//   stars, null where none was rated), known (whether the user is), own (what the user gave, or null),
//   because [{movieId, title, rating, contribution}] (the largest in size first), low, high, modelVersion
OPTIONAL MATCH (model:StarsModel)
OPTIONAL MATCH (user:User {userId: $userId})
CALL (model, user) {
  OPTIONAL MATCH (user)-[rated:RATED]->(movie)
  RETURN count(rated) AS ratings, sum(rated.rating - model.mean - coalesce(movie.bias, 0.0)) AS rest
}
WITH model, user, ratings, rest / (model.userRidge + ratings) AS userBias
CALL (model, user, ratings, userBias) {
  MATCH (user)-[rated:RATED]->(neighbour:Movie)<-[edge:STARS]-(movie:Movie)
  USING JOIN ON neighbour // else each neighbour's ratings would be searched for the user's
  WHERE movie.movieId IN $movieIds AND edge.version = model.version
  WITH movie, neighbour, rated.rating AS rating,
       ratings ^ -model.exponent * (edge.ratedWeight +
         edge.weight * (rated.rating - model.mean - userBias - coalesce(neighbour.bias, 0.0))) AS contribution
  ORDER BY abs(contribution) DESC
  WITH movie, sum(contribution) AS tastes,
       collect({neighbour: neighbour, rating: rating, contribution: contribution})[..$reasonLimit] AS reasons
  RETURN movie, tastes, reasons, null AS own
  UNION ALL
  MATCH (user)-[rated:RATED]->(movie)
  WHERE movie.movieId IN $movieIds
  RETURN movie, null AS tastes, null AS reasons, rated.rating AS own
  UNION ALL
  UNWIND $movieIds AS movieId
  MATCH (movie:Movie {movieId: movieId})
  RETURN movie, null AS tastes, null AS reasons, null AS own
}
WITH model, user, ratings, userBias, movie, max(tastes) AS tastes, max(own) AS own,
     coalesce(head(collect(reasons)), []) AS reasons
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year,
       CASE WHEN user IS NULL OR model IS NULL THEN movie.ratingMean
            ELSE model.mean + userBias + coalesce(movie.bias, 0.0) + coalesce(tastes, 0.0) END AS stars,
       sqrt(coalesce(movie.spread, model.spread) ^ 2 +
            model.userSpread ^ 2 * model.userRidge / (model.userRidge + ratings)) AS deviation,
       tastes, user IS NOT NULL AS known, own,
       [reason IN reasons | {movieId: reason.neighbour.movieId, title: reason.neighbour.title, rating: reason.rating,
                             contribution: reason.contribution}] AS because,
       model.low AS low, model.high AS high, model.version AS modelVersion
