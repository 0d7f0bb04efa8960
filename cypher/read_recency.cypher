// What counts of users and movies (graph.recency), how much the movies were watched lately, and the graph's clock.
// Parameters: pairs [[userId, movieId]] by user and movie, movieIds, properties (of movies: a figure each), countedFrom (stars)
// Returns: counted [[userId, movieId, watched, rated]] (newest finish and rating, as text or null; pairs without are absent),
//   movies [[movieId, viewers, figures]], newestAt (as text or null): one record, since each costs the driver as much as
//   its content
CALL () {
  UNWIND $pairs AS pair
  MATCH (user:User {userId: pair[0]})
  MATCH (movie:Movie {movieId: pair[1]})
  MATCH (user)-[edge:RATED|WATCHED]->(movie)
  WITH user, movie, max(edge.finishedAt) AS watched, max(CASE WHEN edge.rating >= $countedFrom THEN edge.at END) AS rated
  RETURN collect([user.userId, movie.movieId, toString(watched), toString(rated)]) AS counted
}
CALL () {
  UNWIND $movieIds AS movieId
  MATCH (movie:Movie {movieId: movieId})
  RETURN collect([movieId, movie.viewers, [property IN $properties | movie[property]]]) AS movies
}
OPTIONAL MATCH (applied:Sequence {name: 'applied'})
RETURN counted, movies, toString(applied.newestAt) AS newestAt
