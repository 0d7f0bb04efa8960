// Stars that a user would give to some movies: the baseline, what it leaves of the user's newest ratings, and what the
// user's ratings of the movies' neighbours say. The user's habits, how ratings are shifted, stretched by the movies'
// biases and tilted by popularity, are made of the ratings of this moment (engine/star_baseline.py): three equations,
// whose sums are taken in one pass and which are solved by elimination (A = L D Lᵀ).
// Parameters: userId, movieIds, reasonLimit, now (localdatetime)
// Returns: movieId, title, year, stars (not held to the scale), margin (four of five ratings are as near), tastes
//   (neighbours' share of the stars, null where none was rated), known (whether the user is), rating (what the user gave,
//   or null), because [{movieId, title, rating, contribution}] (the largest in size first), low, high, modelVersion
OPTIONAL MATCH (model:StarsModel)
OPTIONAL MATCH (user:User {userId: $userId})
CALL (model, user) {
  MATCH (user)-[rated:RATED]->(movie)
  WITH coalesce(movie.bias, 0.0) AS bias, coalesce(movie.popularity, model.popularity) AS popularity,
       rated.rating - model.mean - coalesce(movie.bias, 0.0) AS rest,
       CASE WHEN model.halfLife IS NULL THEN 0.0
            WHEN rated.at > $now THEN 1.0
            ELSE 2 ^ (-duration.inSeconds(rated.at, $now).milliseconds / (1000 * model.halfLife)) END AS weight
  RETURN {ratings: count(*), bias: sum(bias), popular: sum(popularity), rest: sum(rest), biasBias: sum(bias * bias),
          biasPopular: sum(bias * popularity), biasRest: sum(bias * rest),
          popularPopular: sum(popularity * popularity), popularRest: sum(popularity * rest),
          newest: sum(weight), newestBias: sum(weight * bias), newestPopular: sum(weight * popularity),
          newestRest: sum(weight * rest)} AS sums
}
WITH model, user, sums, model.userRidge + sums.ratings AS d1
WITH model, user, sums, d1, sums.bias / d1 AS l21, sums.popular / d1 AS l31
WITH model, user, sums, d1, l21, l31, model.scaleRidge + sums.biasBias - l21 * sums.bias AS d2
WITH model, user, sums, d1, l21, l31, d2, (sums.biasPopular - l31 * sums.bias) / d2 AS l32
WITH model, user, sums, d1, l21, l31, d2, l32,
     model.popularityRidge + sums.popularPopular - l31 * sums.popular - l32 ^ 2 * d2 AS d3,
     sums.biasRest - l21 * sums.rest AS rest2
WITH model, user, sums, d1, l21, l31, d2, l32, d3, rest2,
     (sums.popularRest - l31 * sums.rest - l32 * rest2) / d3 AS tilt
WITH model, user, sums, d1, l21, l31, d2, l32, d3, tilt, rest2 / d2 - l32 * tilt AS stretch
WITH model, user, sums, d1, l21, l31, d2, l32, d3, tilt, stretch,
     sums.rest / d1 - l21 * stretch - l31 * tilt AS shift
WITH model, user, sums.ratings AS ratings, d1, l21, l31, d2, l32, d3, tilt, stretch, shift,
     (sums.newestRest - shift * sums.newest - stretch * sums.newestBias - tilt * sums.newestPopular)
       / (model.newestRidge + sums.newest) AS newest
CALL (model, user, ratings, tilt, stretch, shift) {
  MATCH (user)-[rated:RATED]->(neighbour:Movie)<-[edge:STARS]-(movie:Movie)
  USING JOIN ON neighbour // else each neighbour's ratings would be searched for the user's
  WHERE movie.movieId IN $movieIds AND edge.version = model.version
  WITH movie, neighbour, rated.rating AS rating,
       ratings ^ -model.exponent * (edge.ratedWeight +
         edge.weight * (rated.rating - model.mean - shift - (1 + stretch) * coalesce(neighbour.bias, 0.0)
                        - tilt * coalesce(neighbour.popularity, model.popularity))) AS contribution
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
WITH model, user, movie, max(tastes) AS tastes, max(own) AS own, coalesce(head(collect(reasons)), []) AS reasons,
     d1, l21, l31, d2, l32, d3, tilt, stretch, shift, newest,
     coalesce(movie.bias, 0.0) AS bias, coalesce(movie.popularity, model.popularity) AS popularity
// What is not known of the habits: fᵀ A⁻¹ f for the movie's f = (1, bias, popularity).
WITH *, 1 / d1 + (bias - l21) ^ 2 / d2 + (popularity - l31 - l32 * (bias - l21)) ^ 2 / d3 AS unknown
RETURN movie.movieId AS movieId, movie.title AS title, movie.year AS year,
       CASE WHEN user IS NULL OR model IS NULL THEN movie.ratingMean
            ELSE model.mean + shift + (1 + stretch) * bias + tilt * popularity + newest + coalesce(tastes, 0.0) END AS stars,
       model.margin * sqrt(coalesce(movie.spread, model.spread) ^ 2 + model.noise * unknown) AS margin,
       tastes, user IS NOT NULL AS known, own AS rating,
       [reason IN reasons | {movieId: reason.neighbour.movieId, title: reason.neighbour.title, rating: reason.rating,
                             contribution: reason.contribution}] AS because,
       model.low AS low, model.high AS high, model.version AS modelVersion
