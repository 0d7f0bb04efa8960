// Remove fitted SIMILAR edges that are not of the version in use, some at a time. Parameters: limit. Returns: removed
MATCH (catalogue:Catalogue)
WITH catalogue.model AS current
MATCH (:Movie)-[similar:SIMILAR]->(:Movie)
WHERE similar.version <> current AND similar.version <> 'incremental'
WITH similar LIMIT $limit
DELETE similar
RETURN count(*) AS removed
