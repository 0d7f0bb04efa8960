// How much each movie was watched lately (graph.recency). Writers wait while some movies are counted.
MATCH (movie:Movie)
  CALL (movie) {
    MERGE (applied:Sequence {name: 'applied'})
    SET applied.locked = true
    REMOVE applied.locked
    WITH applied, movie
    MATCH (user:User)-[edge:RATED|WATCHED]->(movie)
    WHERE edge.rating >= 3 OR edge.finishedAt IS NOT NULL
    WITH applied, movie, user, max(coalesce(edge.at, edge.finishedAt)) AS moment
    WITH applied, movie, collect(moment) AS moments, max(moment) AS newest
    WHERE newest IS NOT NULL
    WITH applied, movie, newest,
         duration.inSeconds(localdatetime('1970-01-01'), newest).milliseconds / 86400000.0 AS newestDay,
         [moment IN moments | duration.inSeconds(newest, moment).milliseconds / 86400000.0] AS days
    SET movie.viewers = size(days),
        applied.newestAt = CASE WHEN applied.newestAt > newest THEN applied.newestAt ELSE newest END
    FOREACH (halfLife IN [1, 3, 10, 30, 100] |
      SET movie['recent' + halfLife] =
        newestDay / halfLife + log(reduce(total = 0.0, day IN days | total + 2.0 ^ (day / halfLife))) / log(2))
  } IN TRANSACTIONS OF 50 ROWS
