-- What wrk sends, by the word after its "--", and wrk's figures as one line of JSON.
-- Where "request" is not set, wrk sends the same bytes each time, made from its fields.

local VARIETY = 4096 -- different requests, made before the first is sent

local CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
   .. "Chrome/%d.0.0.0 Safari/537.36"
local WORDS = { "articles", "authors", "search", "products", "basket", "help", "news", "reviews" }
local LANGUAGES = { "en-GB,en;q=0.9", "en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr,en;q=0.7" }

local function any(list)
   return list[math.random(#list)]
end

local function hexadecimal(digits)
   local text = {}
   for i = 1, digits do
      text[i] = string.format("%x", math.random(0, 15))
   end
   return table.concat(text)
end

local function target()
   local path = "/" .. any(WORDS) .. "/" .. math.random(100000)
   if math.random(2) == 1 then
      path = path .. "?page=" .. math.random(50) .. "&sort=" .. any(WORDS)
   end
   return path
end

-- A request for a page as Chrome sends it: 13 fields.
local function page(version, language, referer)
   local host = wrk.headers["Host"]
   local agent = string.format(CHROME, version)
   return table.concat({
      "GET " .. target() .. " HTTP/1.1",
      "Host: " .. host,
      "Connection: keep-alive",
      string.format(
         'sec-ch-ua: "Google Chrome";v="%d", "Chromium";v="%d", "Not_A Brand";v="24"',
         version, version
      ),
      "sec-ch-ua-mobile: ?0",
      'sec-ch-ua-platform: "Linux"',
      "Upgrade-Insecure-Requests: 1",
      "User-Agent: " .. agent,
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,"
         .. "image/avif,image/webp,image/apng,*/*;q=0.8,"
         .. "application/signed-exchange;v=b3;q=0.7",
      "Sec-Fetch-Site: same-origin",
      "Referer: http://" .. host .. referer,
      "Accept-Encoding: gzip, deflate, br, zstd",
      "Accept-Language: " .. language,
      "Cookie: sid=" .. hexadecimal(32) .. "; csrftoken=" .. hexadecimal(32)
         .. "; theme=dark; consent=yes",
      "", "",
   }, "\r\n")
end

local function any_of(make)
   math.randomseed(1)
   local requests = {}
   for i = 1, VARIETY do
      requests[i] = make()
   end
   local at = 0
   request = function()
      at = at % VARIETY + 1
      return requests[at]
   end
end

local setups = {}

function setups.minimal() end

-- One browser, so to speak: target and Cookie differ from request to request.
function setups.browser()
   any_of(function() return page(138, LANGUAGES[1], "/") end)
end

-- Many browsers: User-Agent, sec-ch-ua, Accept-Language and Referer differ too.
function setups.visitors()
   any_of(function() return page(math.random(100, 139), any(LANGUAGES), target()) end)
end

-- What a proxy adds.
function setups.forwarded()
   wrk.headers["X-Forwarded-For"] = "203.0.113.7"
   wrk.headers["X-Forwarded-Proto"] = "https"
end

function setups.post()
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/octet-stream"
   wrk.body = string.rep("x", 16384)
end

function setups.mixed_paths()
   local quick, slow = wrk.format("GET", "/quick"), wrk.format("GET", "/slow")
   local sent = 0
   request = function()
      sent = sent + 1
      return sent % 20 == 0 and slow or quick
   end
end

function setups.pipelining()
   local sixteen = string.rep(wrk.format(), 16)
   request = function() return sixteen end
end

function init(args)
   setups[args[1]]()
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "microseconds": %d, "bytes": %d, "p50": %.1f, "p99": %.1f, "p999": %.1f,'
         .. ' "errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
      summary.requests, summary.duration, summary.bytes,
      latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
      errors.connect, errors.read, errors.write, errors.status, errors.timeout
   ))
end
