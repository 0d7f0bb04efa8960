// How far all partitions of a log are applied. Parameters: source. Returns: partition, offset
MATCH (position:IngestOffset {source: $source})
RETURN position.partition AS partition, coalesce(position.offset, 0) AS offset
