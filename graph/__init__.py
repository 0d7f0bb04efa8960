"""The store: driver, schema, queries, repositories and the embedded Neo4j server."""
