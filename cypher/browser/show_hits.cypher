// 7 Hits of the last day
// Recommendations that were watched: the movie, at which rank it stood, and how soon it was begun. Found from the newest
// 5,000 viewings of the last day.
// Parameters: none. Returns: hitAt, userId, title, rank, basis, minutes (from the offer to the viewing)
MATCH (user:User)-[viewing:WATCHED]->(movie:Movie)
WHERE viewing.startedAt > localdatetime({timezone: 'UTC'}) - duration({days: 1})
WITH user, viewing, movie
ORDER BY viewing.startedAt DESC
LIMIT 5000
MATCH (user)-[offer:RECOMMENDED]->(movie)
WHERE offer.hitAt = viewing.startedAt
RETURN toString(localdatetime.truncate('second', offer.hitAt)) AS hitAt, user.userId AS userId,
       movie.title AS title, offer.rank AS rank, offer.basis AS basis,
       duration.inSeconds(offer.at, offer.hitAt).seconds / 60 AS minutes
ORDER BY hitAt DESC
LIMIT 100
