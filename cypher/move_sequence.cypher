// Give the batch being applied its number. Parameters: value
MATCH (sequence:Sequence {name: 'applied'})
SET sequence.value = $value
