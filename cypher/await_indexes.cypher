// Wait until every index can be used. Parameters: none. Returns: nothing.
CALL db.awaitIndexes(3600)
