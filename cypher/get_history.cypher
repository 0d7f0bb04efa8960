// What a user rated and watched, newest first. Parameters: userId, offset, limit
// Returns: type ('rated', 'started', 'finished', 'abandoned'), movieId, title, year, at, rating, startedAt, finishedAt, source, eventId
MATCH (:User {userId: $userId})-[interaction:RATED|WATCHED]->(movie:Movie)
WITH interaction, movie, coalesce(interaction.at, interaction.finishedAt, interaction.lastSeenAt) AS at
ORDER BY at DESC, movie.movieId
SKIP $offset LIMIT $limit
RETURN CASE WHEN type(interaction) = 'RATED' THEN 'rated'
            WHEN interaction.finishedAt IS NOT NULL THEN 'finished'
            WHEN interaction.abandonedAt IS NOT NULL THEN 'abandoned'
            ELSE 'started' END AS type,
       movie.movieId AS movieId, movie.title AS title, movie.year AS year, at,
       interaction.rating AS rating, interaction.startedAt AS startedAt, interaction.finishedAt AS finishedAt,
       interaction.source AS source, interaction.eventId AS eventId
