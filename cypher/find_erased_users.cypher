// Which of some users are or were erased. Parameters: userIds. Returns: userId, liftedAt (null: erased until it is lifted)
UNWIND $userIds AS userId
MATCH (erased:Erased {userId: userId})
RETURN userId, erased.liftedAt AS liftedAt
