// Remove likes, listings and clicks from long ago, some at a time. Parameters: before, limit. Returns: edges, how many
MATCH (:User)-[mark:LIKED|LISTED|CLICKED]->(:Movie)
WHERE mark.at < $before
WITH mark
LIMIT $limit
DELETE mark
RETURN count(*) AS edges
