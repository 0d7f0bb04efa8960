"use strict";

// A script of its own, since the page's policy forbids inline ones.
const token = document.querySelector('meta[name="csrf-token"]').content;
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  requestInterceptor(request) {
    if (token) request.headers["X-CSRF-Token"] = token;
    return request;
  },
});
