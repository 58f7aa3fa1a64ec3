-- A path that was never asked for before, so that no cache helps: wrk … -- PREFIX
local prefix, n = "/", 0
function init(args)
   prefix = args[1]
   n = math.random(1000000000)
end
function request()
   n = n + 1
   return wrk.format("GET", prefix .. n)
end
