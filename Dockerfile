# One image for load, service, worker and simulator: the same commands that `make run` starts.
FROM maven:3.9-eclipse-temurin-17 AS jars
WORKDIR /build
COPY pom.xml .
# Where graph/server/jars.py looks for them: a folder named by the pom's digest.
RUN mvn -q -B dependency:copy-dependencies \
    -DoutputDirectory="/cache/jars/$(sha256sum pom.xml | cut -c1-12)"

FROM python:3.11-slim-bookworm
# The uid of the official neo4j image, which takes over the files that `loader bulk` imports.
RUN useradd --uid 7474 --create-home recommender \
 && install -d -o recommender /app /var/lib/recommender /neo4j /ratings
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY --from=jars /cache /opt/recommender
COPY --chown=recommender . .
USER recommender
ENV PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba \
    NEO4J_HOME=/neo4j/home \
    RECOMMENDER_CACHE=/opt/recommender \
    RECOMMENDER_DATA=/var/lib/recommender
