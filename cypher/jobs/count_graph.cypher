// Counts of the whole graph. Parameters: none. Returns: users, movies, ratings, similar
CALL () { MATCH (:User) RETURN count(*) AS users }
CALL () { MATCH (:Movie) RETURN count(*) AS movies }
CALL () { MATCH ()-[:RATED]->() RETURN count(*) AS ratings }
CALL () { MATCH ()-[:SIMILAR]->() RETURN count(*) AS similar }
RETURN users, movies, ratings, similar
