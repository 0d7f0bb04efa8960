"""Who may do what: keys, logins, rate limits, and the check before each request."""
