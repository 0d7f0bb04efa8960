// How far the event log is applied, partition by partition. Parameters: none. Returns: source, partition, offset, sequence
MATCH (position:IngestOffset)
WHERE NOT position.source STARTS WITH 'add:' // the position of a bulk load's `add`, whose ratings are not live
RETURN position.source AS source, position.partition AS partition, position.offset AS offset, position.sequence AS sequence
