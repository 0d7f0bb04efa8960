// Write bulk ratings that are newer than what is stored, and keep the movies' statistics true; of equals what came live
// stays. Parameters: rows [[userId, movieId, rating, at (milliseconds since 1970)]] by user and movie, each pair once;
//   countedFrom (stars)
// Returns: written, moves [[movieId, [[before, after]]]] (as text or null: with what each user whose rating was written
//   counted for the movie (graph.recency), and does now)
UNWIND $rows AS row
WITH row[0] AS userId, collect(row) AS own
MATCH (user:User {userId: userId})
CALL (own) {
  UNWIND own AS row
  MATCH (movie:Movie {movieId: row[1]})
  // Packing temporal parameters takes twice the rest's time, so moments come as numbers.
  RETURN collect({movie: movie, rating: row[2], at: localdatetime(datetime({epochMillis: row[3]}))}) AS told
}
WITH user, told, [one IN told | one.movie] AS movies
CALL (user, movies) { // once for all of them: each MERGE would walk through the user's ratings again
  MATCH (user)-[rated:RATED]->(movie)
  WHERE movie IN movies
  RETURN collect({movie: movie, edge: rated}) AS known
}
CALL (user, movies) {
  MATCH (user)-[viewing:WATCHED]->(movie)
  WHERE movie IN movies AND viewing.finishedAt IS NOT NULL
  WITH movie, max(viewing.finishedAt) AS at
  RETURN collect({movie: movie, at: at}) AS finishes
}
UNWIND told AS one
WITH user, one, [rated IN known WHERE rated.movie = one.movie | rated.edge][0] AS edge,
     [finish IN finishes WHERE finish.movie = one.movie | finish.at][0] AS watched
WITH user, one, edge, one.movie AS movie, edge.rating AS before, watched,
     CASE WHEN edge.rating >= $countedFrom THEN edge.at END AS ratedBefore,
     CASE WHEN one.rating >= $countedFrom THEN one.at END AS ratedNow
WHERE edge IS NULL OR edge.at < one.at OR (edge.at = one.at AND edge.eventId IS NULL)
FOREACH (_ IN CASE WHEN edge IS NULL THEN [1] ELSE [] END |
  CREATE (user)-[:RATED {rating: one.rating, at: one.at}]->(movie))
FOREACH (known IN CASE WHEN edge IS NULL THEN [] ELSE [edge] END |
  SET known.rating = one.rating, known.at = one.at
  REMOVE known.eventId, known.priorRating, known.priorAt, known.priorEventId, known.bulkRating, known.bulkAt)
WITH movie, count(*) AS written, count(*) - count(before) AS added, sum(one.rating - coalesce(before, 0)) AS stars,
     collect([
       toString(CASE WHEN ratedBefore > watched OR watched IS NULL THEN ratedBefore ELSE watched END),
       toString(CASE WHEN ratedNow > watched OR watched IS NULL THEN ratedNow ELSE watched END)
     ]) AS moves
WITH movie, written, added, stars, moves, coalesce(movie.ratingCount, 0) AS ratings
SET movie.ratingMean = (coalesce(movie.ratingMean, 0) * ratings + stars) / (ratings + added),
    movie.ratingCount = ratings + added
RETURN sum(written) AS written, collect([movie.movieId, moves]) AS moves
