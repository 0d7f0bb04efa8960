// All edges that came live. Parameters: none
// Returns: type, userId, movieId, title, year, properties
CALL () {
  MATCH (user:User)-[edge:RATED]->(movie:Movie) USING INDEX edge:RATED(eventId)
  WHERE edge.eventId IS NOT NULL
  RETURN user, edge, movie
  UNION ALL
  MATCH (user:User)-[edge:WATCHED]->(movie:Movie) USING INDEX edge:WATCHED(eventId)
  WHERE edge.eventId IS NOT NULL
  RETURN user, edge, movie
  UNION ALL
  MATCH (user:User)-[edge:LIKED]->(movie:Movie) USING INDEX edge:LIKED(eventId)
  WHERE edge.eventId IS NOT NULL
  RETURN user, edge, movie
  UNION ALL
  MATCH (user:User)-[edge:LISTED]->(movie:Movie) USING INDEX edge:LISTED(eventId)
  WHERE edge.eventId IS NOT NULL
  RETURN user, edge, movie
  UNION ALL
  MATCH (user:User)-[edge:CLICKED]->(movie:Movie) USING INDEX edge:CLICKED(eventId)
  WHERE edge.eventId IS NOT NULL
  RETURN user, edge, movie
}
RETURN type(edge) AS type, user.userId AS userId, movie.movieId AS movieId, movie.title AS title, movie.year AS year,
       properties(edge) AS properties
