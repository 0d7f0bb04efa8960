// How many edges came live. Parameters: none. Returns: edges
CALL () { MATCH ()-[edge:RATED]->() USING INDEX edge:RATED(eventId) WHERE edge.eventId IS NOT NULL RETURN count(*) AS rated }
CALL () { MATCH ()-[:WATCHED]->() RETURN count(*) AS watched }
CALL () { MATCH ()-[:LIKED]->() RETURN count(*) AS liked }
CALL () { MATCH ()-[:LISTED]->() RETURN count(*) AS listed }
CALL () { MATCH ()-[:CLICKED]->() RETURN count(*) AS clicked }
RETURN rated + watched + liked + listed + clicked AS edges
