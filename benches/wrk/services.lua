-- Asks for many services in turn, in an order that has none: wrk … -- COUNT PORT
-- The requests are put together before, all of one length and in the order of sending, so that many of them take no
-- more time here than one; `benches/run` asks a constant answer in the same way to see that.
local requests, count, at = {}, 1, 0
function init(args)
   count = tonumber(args[1])
   local order = {}
   for i = 1, count do
      local j = math.random(i)
      order[i] = order[j]
      order[j] = i
   end
   for i = 1, count do
      requests[i] = wrk.format("GET", string.format("/spool/service%06d/%s", order[i], args[2]))
   end
end
function request()
   at = at % count + 1
   return requests[at]
end
