"""The embedded Neo4j: the real Community server, run from Maven Central's jars."""
