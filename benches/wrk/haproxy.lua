-- A check as HAProxy sends it: HTTP/1.0, a new connection each, with or without send-state: wrk … -- PATH STATE?
local text = ""
function init(args)
   text = "GET " .. args[1] .. " HTTP/1.0\r\nhost: web01\r\n"
   if args[2] then
      text = text .. "x-haproxy-server-state: UP 1/2; address=127.0.0.1; port=" .. args[2]
         .. "; name=web/s1; node=lb1; weight=1/51; scur=3/40; qcur=0\r\n"
   end
   text = text .. "\r\n"
end
function request()
   return text
end
