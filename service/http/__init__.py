"""What is HTTP: bodies, headers, problems, caching, the document and one log line a request."""
