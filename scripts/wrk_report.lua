-- The figures of one wrk run as a line of JSON.
done = function(summary, latency, requests)
  io.write(string.format(
    '{"requestsPerSecond": %.0f, "p50ms": %.1f, "p99ms": %.1f, "errors": %d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
