// How far a partition is applied. Parameters: source, partition. Returns: offset, sequence; no row before the first batch
MATCH (position:IngestOffset {source: $source, partition: $partition})
RETURN coalesce(position.offset, 0) AS offset, coalesce(position.sequence, 0) AS sequence
