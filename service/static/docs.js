"use strict";

// A script of its own, since the page's policy forbids inline ones.
window.ui = SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
});
