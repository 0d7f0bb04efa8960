// How much of everything a database holds. Parameters: none. Returns: kind (a node's label or an edge's type), count
CALL () {
  MATCH (node)
  UNWIND labels(node) AS kind
  RETURN kind, count(*) AS count
  UNION ALL
  MATCH ()-[edge]->()
  RETURN type(edge) AS kind, count(*) AS count
}
RETURN kind, count
ORDER BY kind
