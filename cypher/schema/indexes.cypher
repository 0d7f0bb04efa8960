// One statement a line. Only live edges carry an eventId, so these indexes stay small beside the bulk-loaded ratings.
CREATE INDEX rated_event IF NOT EXISTS FOR ()-[rated:RATED]-() ON (rated.eventId)
CREATE INDEX rated_prior IF NOT EXISTS FOR ()-[rated:RATED]-() ON (rated.priorEventId)
CREATE INDEX liked_event IF NOT EXISTS FOR ()-[liked:LIKED]-() ON (liked.eventId)
CREATE INDEX listed_event IF NOT EXISTS FOR ()-[listed:LISTED]-() ON (listed.eventId)
CREATE INDEX clicked_event IF NOT EXISTS FOR ()-[clicked:CLICKED]-() ON (clicked.eventId)
// Open viewings alone have pollsSinceSeen; a poll's end concerns those of the feed.
CREATE INDEX watched_open_source IF NOT EXISTS FOR ()-[watched:WATCHED]-() ON (watched.source, watched.pollsSinceSeen)
CREATE INDEX watched_finish IF NOT EXISTS FOR ()-[watched:WATCHED]-() ON (watched.finishId)
CREATE INDEX watched_start IF NOT EXISTS FOR ()-[watched:WATCHED]-() ON (watched.startedAt)
CREATE INDEX watched_sequence IF NOT EXISTS FOR ()-[watched:WATCHED]-() ON (watched.sequence)
CREATE INDEX recommended_sequence IF NOT EXISTS FOR ()-[recommended:RECOMMENDED]-() ON (recommended.sequence)
CREATE INDEX recommended_batch IF NOT EXISTS FOR ()-[recommended:RECOMMENDED]-() ON (recommended.batchId)
// Accents are folded, so that "Amelie" finds "Amélie".
CREATE FULLTEXT INDEX movie_title IF NOT EXISTS FOR (movie:Movie) ON EACH [movie.title] OPTIONS {indexConfig: {`fulltext.analyzer`: 'standard-folding'}}
CREATE INDEX recommended_at IF NOT EXISTS FOR ()-[recommended:RECOMMENDED]-() ON (recommended.at)
// Of those whose users asked to be forgotten.
CREATE INDEX undone_user IF NOT EXISTS FOR (undone:Undone) ON (undone.userId)
// Walked from the largest figure down, for what is watched now and what most people watched (graph.recency).
CREATE INDEX movie_recent IF NOT EXISTS FOR (movie:Movie) ON (movie.recent)
CREATE INDEX movie_viewers IF NOT EXISTS FOR (movie:Movie) ON (movie.viewers)
