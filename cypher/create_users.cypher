// Make users that are not there yet. Parameters: userIds, ascending
UNWIND $userIds AS userId
MERGE (:User {userId: userId})
