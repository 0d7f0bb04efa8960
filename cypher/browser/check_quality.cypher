// 9 Checks of data quality
// How often something is not as it should be; 0 is right but for the first three, which the source decides. All movies
// are looked at; of users the first 1,000, since ratings may be a hundred million.
// Parameters: none. Returns: check, found, of (how many were looked at)
CALL () {
  MATCH (movie:Movie)
  WITH count(*) AS of, count(movie.title) AS titles, count(movie.year) AS years, count(movie.genres) AS genres,
       sum(CASE WHEN COUNT { (movie)<-[:RATED]-() } <> coalesce(movie.ratingCount, 0) THEN 1 ELSE 0 END) AS differing,
       sum(CASE WHEN EXISTS { (movie)-[:SIMILAR]->(movie) } THEN 1 ELSE 0 END) AS selfish
  UNWIND [['movie without a year', of - years], ['movie without genres', of - genres],
          ['movie whose count of ratings has changed since the load', differing],
          ['movie without a title', of - titles], ['movie that is similar to itself', selfish]] AS row
  RETURN row[0] AS check, row[1] AS found, of
  UNION ALL
  MATCH (catalogue:Catalogue)
  WITH count(*) AS of, sum(COUNT { MATCH (:Model {version: catalogue.model}) }) AS models
  RETURN 'catalogue whose model does not exist' AS check, of - models AS found, of
  UNION ALL
  MATCH (user:User)
  WITH user
  LIMIT 1000
  CALL (user) {
    MATCH (user)-[rated:RATED]->(movie:Movie)
    RETURN count(*) AS ratings, count(DISTINCT movie) AS movies, count(rated.at) AS dated,
           sum(CASE WHEN rated.rating >= 0.5 AND rated.rating <= 5 THEN 0 ELSE 1 END) AS outside
  }
  WITH sum(ratings) AS of, sum(ratings - movies) AS twice, sum(ratings - dated) AS undated, sum(outside) AS outside
  UNWIND [['rating that is not from 0.5 to 5', outside], ['rating without a time', undated],
          ['movie rated twice by one user', twice]] AS row
  RETURN row[0] AS check, row[1] AS found, of
  UNION ALL
  MATCH ()-[viewing:WATCHED]->()
  WHERE viewing.source IS NOT NULL AND viewing.pollsSinceSeen IS NOT NULL
  WITH viewing LIMIT 100000
  WITH count(*) AS of,
       sum(CASE WHEN viewing.lastSeenAt < localdatetime({timezone: 'UTC'}) - duration({hours: 48}) THEN 1 ELSE 0 END)
         AS found
  RETURN 'open viewing without a sign for 48 hours' AS check, found, of
}
RETURN check, found, of
