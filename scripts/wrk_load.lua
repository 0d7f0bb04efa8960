-- One wrk run: `-- KEY COLD USER …` asks for the recommendations of users drawn at random.
-- COLD 1 makes each request one that was never asked before. The figures are printed as a line of JSON.
local users, cold, asked = {}, false, 0

function init(arguments)
  wrk.headers["Authorization"] = "Bearer " .. arguments[1]
  cold = arguments[2] == "1"
  for place = 3, #arguments do users[#users + 1] = arguments[place] end
  math.randomseed(os.time())
  asked = math.random(1e9)
end

function request()
  local path = "/v1/users/" .. users[math.random(#users)] .. "/recommendations?limit=10"
  asked = asked + 1
  return wrk.format("GET", cold and path .. "&exclude=" .. asked or path)
end

function done(summary, latency)
  io.write(string.format(
    '{"requestsPerSecond": %.0f, "p50ms": %.1f, "p99ms": %.1f, "errors": %d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
