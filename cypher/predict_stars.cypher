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
  MATCH (user)-[rated:RATED]->(neighbour:Movie)<-[edge:STARS]-(target:Movie)
  USING JOIN ON neighbour // else each neighbour's ratings would be searched for the user's
  WHERE target.movieId IN $movieIds AND edge.version = model.version
  WITH target, neighbour, rated.rating AS rating,
       ratings ^ -model.exponent * (edge.ratedWeight +
         edge.weight * (rated.rating - model.mean - userBias - coalesce(neighbour.bias, 0.0))) AS contribution
  ORDER BY abs(contribution) DESC, neighbour.movieId
  WITH target, sum(contribution) AS tastes,
       collect({movieId: neighbour.movieId, title: neighbour.title, rating: rating, contribution: contribution})
         [..$reasonLimit] AS because
  RETURN collect({target: target, tastes: tastes, because: because}) AS found
}
UNWIND $movieIds AS movieId
MATCH (movie:Movie {movieId: movieId})
OPTIONAL MATCH (user)-[own:RATED]->(movie)
WITH *, head([entry IN found WHERE entry.target = movie]) AS told
RETURN movieId, movie.title AS title, movie.year AS year,
       CASE WHEN user IS NULL OR model IS NULL THEN movie.ratingMean
            ELSE model.mean + userBias + coalesce(movie.bias, 0.0) + coalesce(told.tastes, 0.0) END AS stars,
       sqrt(coalesce(movie.spread, model.spread) ^ 2 +
            model.userSpread ^ 2 * model.userRidge / (model.userRidge + ratings)) AS deviation,
       told.tastes AS tastes, user IS NOT NULL AS known, own.rating AS own, coalesce(told.because, []) AS because,
       model.low AS low, model.high AS high, model.version AS modelVersion
