// What followers of the sequence have not heard of. Parameters: after, the last number they know
// Returns: sequence (the last number), model (the version in use), changes [[sequence, userIds]] (userIds null: everybody)
OPTIONAL MATCH (applied:Sequence {name: 'applied'})
OPTIONAL MATCH (catalogue:Catalogue)
CALL () { // a batch is whole when its note can be found: its number may be read some milliseconds before
  MATCH (change:Change)
  WHERE change.sequence > 0
  WITH change.sequence AS number
  ORDER BY number DESC
  LIMIT 1
  RETURN max(number) AS noted
}
WITH coalesce(noted, applied.value, 0) AS sequence, catalogue.model AS model
CALL (sequence) { // after the number is read, so that all its changes are seen, and none of a batch that comes meanwhile
  MATCH (change:Change)
  WHERE change.sequence > $after AND change.sequence <= sequence
  RETURN collect([change.sequence, change.userIds]) AS changes
}
RETURN sequence, model, changes
