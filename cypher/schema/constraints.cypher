// One statement a line.
CREATE CONSTRAINT user_id IF NOT EXISTS FOR (user:User) REQUIRE user.userId IS UNIQUE
CREATE CONSTRAINT movie_id IF NOT EXISTS FOR (movie:Movie) REQUIRE movie.movieId IS UNIQUE
CREATE CONSTRAINT model_version IF NOT EXISTS FOR (model:Model) REQUIRE model.version IS UNIQUE
CREATE CONSTRAINT catalogue_name IF NOT EXISTS FOR (catalogue:Catalogue) REQUIRE catalogue.name IS UNIQUE
CREATE CONSTRAINT sequence_name IF NOT EXISTS FOR (sequence:Sequence) REQUIRE sequence.name IS UNIQUE
CREATE CONSTRAINT ingest_offset_partition IF NOT EXISTS FOR (offset:IngestOffset) REQUIRE (offset.source, offset.partition) IS UNIQUE
CREATE CONSTRAINT watched_event IF NOT EXISTS FOR ()-[watched:WATCHED]-() REQUIRE watched.eventId IS UNIQUE
CREATE CONSTRAINT change_sequence IF NOT EXISTS FOR (change:Change) REQUIRE change.sequence IS UNIQUE
CREATE CONSTRAINT undone_event IF NOT EXISTS FOR (undone:Undone) REQUIRE undone.eventId IS UNIQUE
CREATE CONSTRAINT erased_user IF NOT EXISTS FOR (erased:Erased) REQUIRE erased.userId IS UNIQUE
CREATE CONSTRAINT deleted_movie IF NOT EXISTS FOR (deleted:DeletedMovie) REQUIRE deleted.movieId IS UNIQUE
CREATE CONSTRAINT refused_movie IF NOT EXISTS FOR (note:RefusedMovie) REQUIRE note.movieId IS UNIQUE
