// What became of the stored recommendations.
// Parameters: since (lists that were made then or later), most (recommendations that are counted, the latest)
// Returns: since, lists, listsWithHit, hitRate (null without lists), recommendations, hits, medianSecondsToHit,
//   slowSecondsToHit (9 of 10 hits came sooner), ranks [{rank, recommendations, hits}]
CALL () {
  MATCH (:User)-[offer:RECOMMENDED]->(:Movie)
  WHERE offer.at >= $since
  WITH offer, offer.at AS at
  ORDER BY at DESC
  LIMIT $most
  RETURN collect(offer) AS offers
}
CALL (offers) {
  UNWIND offers AS offer
  WITH offer, duration.inSeconds(offer.at, offer.hitAt).seconds AS secondsToHit
  RETURN count(DISTINCT offer.batchId) AS lists,
         count(DISTINCT CASE WHEN offer.hitAt IS NOT NULL THEN offer.batchId END) AS listsWithHit,
         count(offer) AS recommendations,
         count(offer.hitAt) AS hits,
         percentileCont(secondsToHit, 0.5) AS medianSecondsToHit,
         percentileCont(secondsToHit, 0.9) AS slowSecondsToHit
}
CALL (offers) {
  UNWIND offers AS offer
  WITH offer.rank AS rank, count(offer) AS recommendations, count(offer.hitAt) AS hits
  ORDER BY rank
  RETURN collect({rank: rank, recommendations: recommendations, hits: hits}) AS ranks
}
RETURN $since AS since, lists, listsWithHit, CASE WHEN lists > 0 THEN 1.0 * listsWithHit / lists END AS hitRate,
       recommendations, hits, medianSecondsToHit, slowSecondsToHit, ranks
