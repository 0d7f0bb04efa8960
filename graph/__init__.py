"""The store: settings, driver, schema, queries, repositories and the embedded Neo4j server."""
