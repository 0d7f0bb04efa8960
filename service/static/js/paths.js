// Where the service is: at the host's root, or below a path prefix.

const { root } = document.documentElement.dataset;

/** A path of the service as the browser has to ask for it. */
export const local = (path) => root + path;
