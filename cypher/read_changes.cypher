// What followers of the sequence have not heard of. Parameters: after, the last number they know
// Returns: sequence (the last number), model (the version in use), changes [[sequence, userIds]] (userIds null: everybody)
CALL () {
  MATCH (change:Change)
  WHERE change.sequence > $after
  RETURN collect([change.sequence, change.userIds]) AS changes
}
OPTIONAL MATCH (sequence:Sequence {name: 'applied'})
OPTIONAL MATCH (catalogue:Catalogue)
RETURN coalesce(sequence.value, 0) AS sequence, catalogue.model AS model, changes
