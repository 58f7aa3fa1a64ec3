-- Asks for one of many services: wrk … -- COUNT PORT
-- The requests are put together before, so that many take no more time here than one.
local requests, count = {}, 1
function init(args)
   count = tonumber(args[1])
   for i = 1, count do
      requests[i] = wrk.format("GET", "/spool/service" .. i .. "/" .. args[2])
   end
end
function request()
   return requests[math.random(count)]
end
