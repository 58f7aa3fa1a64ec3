-- Asks for one of many services: wrk … -- COUNT PORT
local count, port = 1, 80
function init(args)
   count, port = tonumber(args[1]), args[2]
end
function request()
   return wrk.format("GET", "/spool/service" .. math.random(count) .. "/" .. port)
end
