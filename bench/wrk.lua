-- SPDX-License-Identifier: MIT
-- wrk's script, which repeats one request: wrk -s wrk.lua URL -- METHOD CONTENT-TYPE BODY-FILE [OPTION=VALUE...]
-- The last line of its output is the result in JSON.
--
--   paths=N    a number, 0 to N - 1, replaces {} in the URL's path. Requests go through all of these paths in a
--              shuffled order, because neighbours would share pages of the database
--   other=FILE with paths: every second time, a path gets the body of this file
--   keys=TEXT  each request has its own Idempotency-Key: TEXT and a number that counts up
--   header=NAME:VALUE  each request has this header too
--   pause=MS   a connection waits this long after an answer, on average, so that connections do not march in step
--
-- Without options there is deliberately no request(): wrk then formats the request once and sends the same bytes each
-- time.

local threads = 0

-- Runs before each thread's init(), which then knows as `number` how many threads there were before.
function setup(thread)
	thread:set("number", threads)
	threads = threads + 1
end

local function read_file(path)
	local file = assert(io.open(path, "rb"))
	local bytes = file:read("*a")

	file:close()
	return bytes
end

-- All requests are formatted beforehand: what wrk needs for itself is taken from the server.
local function walk(count, bodies)
	local requests, order, path, i = {}, {}, wrk.path, 0

	math.randomseed(number)
	for layer = 0, count - 1 do
		local place = math.random(layer + 1)
		order[layer + 1] = order[place]
		order[place] = layer
	end
	for _, body in ipairs(bodies) do
		for _, layer in ipairs(order) do
			requests[#requests + 1] = wrk.format(nil, (path:gsub("{}", layer)), nil, body)
		end
	end
	return function()
		i = i % #requests + 1
		return requests[i]
	end
end

-- The request is formatted once, with a mark that each key takes the place of.
local function with_keys(prefix)
	local mark, sent = "{key}", 0

	wrk.headers["Idempotency-Key"] = mark

	local text = wrk.format()
	local first, last = text:find(mark, 1, true)
	local head = text:sub(1, first - 1) .. prefix .. "-" .. number .. "-"
	local tail = text:sub(last + 1)

	return function()
		sent = sent + 1
		return head .. sent .. tail
	end
end

function init(args)
	local options = {}

	wrk.method = args[1]
	wrk.headers["Content-Type"] = args[2]
	wrk.body = read_file(args[3])
	for i = 4, #args do
		local name, value = args[i]:match("^(%w+)=(.*)$")
		options[name] = value
	end
	if options.header then
		local name, value = options.header:match("^([^:]+):(.*)$")
		wrk.headers[name] = value
	end
	if options.paths then
		request = walk(tonumber(options.paths), { wrk.body, options.other and read_file(options.other) })
	elseif options.keys then
		request = with_keys(options.keys)
	end
	if options.pause then
		local longest = 2 * tonumber(options.pause)

		function delay()
			return math.random(0, longest)
		end
	end
end

function done(summary, latency, requests)
	local e = summary.errors

	io.write(string.format('{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,',
	    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max))
	io.write(string.format('"socket_errors":%d,"timeouts":%d,"refused":%d}\n', e.connect + e.read + e.write,
	    e.timeout, e.status))
end
