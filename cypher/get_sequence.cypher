// Number of the last applied batch, which only queries that come after this one see whole for certain. Parameters: none
// Returns: value; no row before the first
MATCH (sequence:Sequence {name: 'applied'})
RETURN sequence.value AS value
