// What consumers of the sequence have not heard of. Parameters: after, the last number they know
// Returns: sequence (the last number), model (the versions in use), changes [[sequence, userIds]] (userIds null: everybody)
OPTIONAL MATCH (applied:Sequence {name: 'applied'})
OPTIONAL MATCH (catalogue:Catalogue)
OPTIONAL MATCH (stars:StarsModel)
CALL () { // a batch is whole when the index finds its note: its number may be read some milliseconds before
  MATCH (change:Change)
  USING INDEX change:Change(sequence)
  WHERE change.sequence > 0
  RETURN max(change.sequence) AS noted
}
WITH coalesce(noted, applied.value, 0) AS sequence, catalogue.model + coalesce(' ' + stars.version, '') AS model
CALL (sequence) { // after the number is read, so that all its changes are seen, and none of a batch that comes meanwhile
  MATCH (change:Change)
  WHERE change.sequence > $after AND change.sequence <= sequence
  RETURN collect([change.sequence, change.userIds]) AS changes
}
RETURN sequence, model, changes
