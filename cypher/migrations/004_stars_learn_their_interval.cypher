// One statement a line. What an earlier version was served with: a user's bias alone, and an interval of 1.2816 deviations.
MATCH (model:StarsModel) WHERE model.margin IS NULL SET model.margin = 1.2816, model.popularity = 0.0, model.scaleRidge = 1e9, model.popularityRidge = 1e9, model.newestRidge = 1.0, model.noise = model.userSpread ^ 2 * model.userRidge REMOVE model.userSpread
