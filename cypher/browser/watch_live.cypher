// 6 Live right now
// Who is watching what: viewings without an end that began within the last twelve hours, newest first. Run it again to
// see it change.
// Parameters: none. Returns: a graph
MATCH path = (user:User)-[viewing:WATCHED]->(movie:Movie)
WHERE viewing.startedAt > localdatetime({timezone: 'UTC'}) - duration({hours: 12})
  AND viewing.finishedAt IS NULL AND viewing.abandonedAt IS NULL
RETURN path
ORDER BY viewing.startedAt DESC
LIMIT 50
