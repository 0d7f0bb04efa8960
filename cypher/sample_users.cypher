// The users with the lowest ids. Parameters: limit. Returns: userId
MATCH (user:User)
WHERE user.userId >= 0
RETURN user.userId AS userId
LIMIT $limit
