-- wrk's script: one request over and over. `wrk -s wrk.lua URL -- METHOD CONTENT-TYPE BODY-FILE`; the last line is the result in JSON.
--
-- There is no request() here on purpose: wrk then formats the request once and sends the same bytes each time.

function init(args)
	local file = assert(io.open(args[3], "rb"))

	wrk.method = args[1]
	wrk.headers["Content-Type"] = args[2]
	wrk.body = file:read("*a")
	file:close()
end

function done(summary, latency, requests)
	local e = summary.errors

	io.write(string.format('{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"socket_errors":%d,"timeouts":%d,"refused":%d}\n',
	    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write,
	    e.timeout, e.status))
end
