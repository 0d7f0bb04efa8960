// Create edges of any type as another database has them. Parameters: rows [{type, userId, movieId, properties}] by user, movie
UNWIND $rows AS row
MATCH (user:User {userId: row.userId})
MATCH (movie:Movie {movieId: row.movieId})
CREATE (user)-[edge:$(row.type)]->(movie)
SET edge = row.properties
