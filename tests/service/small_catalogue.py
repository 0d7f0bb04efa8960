"""A catalogue so small that what is drawn at random often meets something."""

from graph.recency import HALF_LIVES
from graph.serving_rule import ServingRule

MOVIES = 60
USERS = 20
RULE = ", ".join(f"{name}: {value}" for name, value in ServingRule().to_properties().items())
# Somebody watched each movie at the beginning of 2020, 18,262 days after 1970.
RECENT = ", ".join(
    f"recent{end}: 18262.0 / {half_life}"
    for end, half_life in [("", ServingRule().half_life), *zip(HALF_LIVES, HALF_LIVES, strict=True)]
)
SMALL_CATALOGUE = f"""
CREATE (:Model {{version: 'v1', fittedAt: localdatetime(), edges: 300, movies: {MOVIES}, parameters: '{{}}',
                 snapshot: '{{}}', metrics: '{{}}', {RULE}}}),
       (:Catalogue {{name: 'movielens', model: 'v1'}}),
       (:Sequence {{name: 'applied', newestAt: localdatetime('2020-01-01T00:00:00')}})
WITH 1 AS ignored
UNWIND range(1, {MOVIES}) AS id
CREATE (:Movie {{movieId: id, title: 'Movie ' + id, year: 1960 + id, genres: ['Comedy'], ratingCount: id,
                 ratingMean: 2.0 + id / 30.0, viewers: id, {RECENT}}})
WITH collect(id) AS ids
UNWIND ids AS source
UNWIND range(1, 5) AS rank
MATCH (a:Movie {{movieId: source}}), (b:Movie {{movieId: 1 + (source + rank * 7) % {MOVIES}}})
CREATE (a)-[:SIMILAR {{weight: 1.0 / rank, rank: rank, version: 'v1'}}]->(b)
WITH count(*) AS ignored
UNWIND range(1, {USERS}) AS user
CREATE (u:User {{userId: user}}) WITH u, user
MATCH (m:Movie {{movieId: user}})
CREATE (u)-[:RATED {{rating: 5.0, at: localdatetime('2020-01-01T00:00:00')}}]->(m)
"""
