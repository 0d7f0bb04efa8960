// 1 How much of everything
// Nodes and edges of each kind. Neo4j keeps these counts, so this takes milliseconds at any size.
// Parameters: none. Returns: kind (a node's label or an edge's type), count
CALL () {
  MATCH (:User) WITH count(*) AS count RETURN 'User' AS kind, count
  UNION ALL
  MATCH (:Movie) WITH count(*) AS count RETURN 'Movie' AS kind, count
  UNION ALL
  MATCH (:Model) WITH count(*) AS count RETURN 'Model' AS kind, count
  UNION ALL
  MATCH ()-[:RATED]->() WITH count(*) AS count RETURN 'RATED' AS kind, count
  UNION ALL
  MATCH ()-[:WATCHED]->() WITH count(*) AS count RETURN 'WATCHED' AS kind, count
  UNION ALL
  MATCH ()-[:LIKED]->() WITH count(*) AS count RETURN 'LIKED' AS kind, count
  UNION ALL
  MATCH ()-[:LISTED]->() WITH count(*) AS count RETURN 'LISTED' AS kind, count
  UNION ALL
  MATCH ()-[:CLICKED]->() WITH count(*) AS count RETURN 'CLICKED' AS kind, count
  UNION ALL
  MATCH ()-[:SIMILAR]->() WITH count(*) AS count RETURN 'SIMILAR' AS kind, count
  UNION ALL
  MATCH ()-[:RECOMMENDED]->() WITH count(*) AS count RETURN 'RECOMMENDED' AS kind, count
}
RETURN kind, count
