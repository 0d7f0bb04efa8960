// 2 Tour of the data
// The three movies with the most ratings, a few users who rated each, what was recommended to these users, and the movies
// most similar to each. Click a node or an edge to read it, double-click a node to follow it further.
// Parameters: none. Returns: a graph
MATCH (catalogue:Catalogue)
CALL () {
  MATCH (movie:Movie)
  RETURN movie
  ORDER BY movie.ratingCount DESC, movie.movieId
  LIMIT 3
}
CALL (movie) {
  MATCH rating = (user:User)-[:RATED]->(movie)
  WITH user, rating
  LIMIT 4
  OPTIONAL MATCH recommendation = (user)-[:RECOMMENDED]->(:Movie)
  WITH user, rating, collect(recommendation)[..3] AS recommendations
  RETURN collect(rating) AS ratings, collect(recommendations) AS recommendations
}
CALL (catalogue, movie) {
  MATCH similarity = (movie)-[similar:SIMILAR]->(:Movie)
  WHERE similar.version IN [catalogue.model, 'incremental']
  WITH similarity
  ORDER BY similar.weight DESC
  LIMIT 4
  RETURN collect(similarity) AS similarities
}
RETURN ratings, recommendations, similarities
