// Number of the last applied batch. Parameters: none. Returns: value; no row before the first
MATCH (sequence:Sequence {name: 'applied'})
RETURN sequence.value AS value
