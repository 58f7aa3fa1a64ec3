"""Request headers: where a check goes, and what is copied to the upstream."""
from lib.helpers import *  # noqa: F401,F403

case = area('headers')


@case('state_full', 'a full HAProxy server state sets address and port')
def _(c):
    s, u = c.server(), upstream(c, host='127.0.0.2', body='two')
    c.resp(s.get('/http/%s/1/x' % c.svc(), hap(state('127.0.0.2', u.port))), status=200, body='two')


@case('state_port_only', 'a state with only a port: 127.0.0.1 and that port')
def _(c):
    s, u = c.server(), upstream(c, body='one')
    c.resp(s.get('/http/%s/1/x' % c.svc(), hap(state(port=u.port))), status=200, body='one')


@case('state_wide_space', 'much white space around the parts')
def _(c):
    s, u = c.server(), upstream(c, host='127.0.0.2', body='two')
    c.resp(s.get('/http/%s/1/x' % c.svc(), hap('  UP 1/1 ;\t address=127.0.0.2  ;   port=%d \t; ' % u.port)),
           status=200, body='two')


@case('state_order', 'the order of the parts does not matter')
def _(c):
    s, u = c.server(), upstream(c, host='127.0.0.2', body='two')
    c.resp(s.get('/http/%s/1/x' % c.svc(), hap('port=%d; name=b/s; address=127.0.0.2; UP 1/1' % u.port)), status=200,
           body='two')


@case('state_down_words', 'the state words before the parts do not matter')
def _(c):
    s, u, n = c.server(), upstream(c, body='one'), c.svc()
    for i, w in enumerate(('DOWN 1/2', 'NOLB 1/3', 'MAINT', 'no check')):
        c.resp(s.get('/http/%s/1/x%d' % (n, i), hap('%s; address=127.0.0.1; port=%d' % (w, u.port))), status=200,
               body='one')


@case('state_hostname', 'a host name as the address is resolved')
def _(c):
    s, u = c.server(), upstream(c, body='one')
    c.resp(s.get('/http/%s/1/x' % c.svc(), hap(state('localhost', u.port))), status=200, body='one')


@case('state_refused', 'an address where nobody listens: 503')
def _(c):
    c.resp(c.server().get('/http/%s/1/x' % c.svc(), hap(state('127.0.0.9', c.port()))), status=503)


@case('state_not_cached_together', 'the same port on two hosts gives two results')
def _(c):
    s, p, n = c.server(), c.port(), c.svc()
    upstream(c, port=p, host='127.0.0.2', body='two')
    upstream(c, port=p, host='127.0.0.3', body='three')
    c.resp(s.get('/http/%s/1/x' % n, hap(state('127.0.0.2', p))), status=200, body='two')
    c.resp(s.get('/http/%s/1/x' % n, hap(state('127.0.0.3', p))), status=200, body='three')


@case('nerve', 'X-Nerve-Check-IP sets the host')
def _(c):
    s, u = c.server(), upstream(c, host='127.0.0.2', body='two')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port), [('X-Nerve-Check-IP', '127.0.0.2')]), status=200, body='two')


@case('nerve_name_case', 'the header name is matched in any case')
def _(c):
    s, u = c.server(), upstream(c, host='127.0.0.2', body='two')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port), [('x-nerve-check-ip', '127.0.0.2')]), status=200, body='two')


@case('nerve_empty', 'an empty X-Nerve-Check-IP changes nothing')
def _(c):
    s, u = c.server(), upstream(c, body='one')
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port), [('X-Nerve-Check-IP', '')]), status=200, body='one')


@case('nerve_and_state_port', 'X-Nerve-Check-IP and a port in the state combine')
def _(c):
    s, u = c.server(), upstream(c, host='127.0.0.3', body='three')
    c.resp(s.get('/http/%s/1/x' % c.svc(), hap(state(port=u.port)) + [('X-Nerve-Check-IP', '127.0.0.3')]), status=200,
           body='three')


@case('nerve_unreachable', 'an unusable X-Nerve-Check-IP is never up')
def _(c):
    c.resp(c.server({'healthcheck_timeout': 1}).get('/http/%s/80/x' % c.svc(), [('X-Nerve-Check-IP', '256.1.2.3')]),
           status='5xx')


@case('user_agent', 'the check identifies itself as hastate <version>')
def _(c):
    r, u, s = http_case(c, 200)
    c.match('user-agent', u.last.headers.get('user-agent'), r'hastate [0-9]+\.[0-9]+\S*')


@case('host_copied', 'by default the Host of the client is copied')
def _(c):
    r, u, s = http_case(c, 200, headers=[('Host', 'www.example.com')])
    c.eq('host', u.last.headers.get('host'), 'www.example.com')


@case('host_with_port_copied', 'a Host with a port is copied as it is')
def _(c):
    r, u, s = http_case(c, 200, headers=[('Host', 'www.example.com:8443')])
    c.eq('host', u.last.headers.get('host'), 'www.example.com:8443')


@case('host_missing', 'without a Host from the client the upstream gets address:port')
def _(c):
    s, u = c.server(), upstream(c)
    c.resp(s.get('/http/%s/%d/x' % (c.svc(), u.port), version='1.0', send_host=False), status=200)
    c.eq('host', u.last.headers.get('host'), '127.0.0.1:%d' % u.port)


@case('copy_list', 'http_headers_to_copy names the headers to copy')
def _(c):
    r, u, s = http_case(c, 200, config={'http_headers_to_copy': ['X-One', 'X-Two']},
                        headers=[('X-One', '1'), ('X-Two', 'two words'), ('X-Three', '3')])
    c.eq('copied', {k: v for k, v in u.last.headers.items() if k.startswith('x-')},
         {'x-one': '1', 'x-two': 'two words'})


@case('copy_list_empty', 'an empty list copies nothing')
def _(c):
    r, u, s = http_case(c, 200, config={'http_headers_to_copy': []}, headers=[('Host', 'www.example.com')])
    c.eq('host', u.last.headers.get('host'), '127.0.0.1:%d' % u.port)


@case('copy_absent', 'a listed header that the client did not send is not made up')
def _(c):
    r, u, s = http_case(c, 200, config={'http_headers_to_copy': ['X-One', 'X-Two']}, headers=[('X-Two', '2')])
    c.eq('x-one', 'x-one' in u.last.headers, False)


@case('copy_any_case', 'names are matched in any case, in the list and in the request')
def _(c):
    r, u, s = http_case(c, 200, config={'http_headers_to_copy': ['x-one', 'X-TWO']},
                        headers=[('X-One', '1'), ('x-two', '2')])
    c.eq('copied', (u.last.headers.get('x-one'), u.last.headers.get('x-two')), ('1', '2'))


@case('copy_repeated', 'a repeated header is copied as one, joined by a comma')
def _(c):
    r, u, s = http_case(c, 200, config={'http_headers_to_copy': ['X-One', 'X-Two']},
                        headers=[('X-One', 'a'), ('X-One', 'b')])
    c.match('x-one', ','.join(v for k, v in u.last.header_list if k == 'x-one'), r'a, ?b')


@case('copy_user_agent', 'User-Agent in the list replaces hastate')
def _(c):
    r, u, s = http_case(c, 200, config={'http_headers_to_copy': ['User-Agent']}, headers=[('User-Agent', 'mine/1')])
    c.eq('user-agent', u.last.headers.get('user-agent'), 'mine/1')


@case('service_name_header', 'service_name_header carries the service name')
def _(c):
    s, u, n = c.server({'service_name_header': 'X-Service'}), upstream(c), c.svc('.main')
    c.resp(s.get('/http/%s/%d/x' % (n, u.port)), status=200)
    c.eq('x-service', u.last.headers.get('x-service'), n)


@case('service_name_header_off', 'without it no such header is sent')
def _(c):
    r, u, s = http_case(c, 200)
    c.eq('service name anywhere', [v for v in u.last.headers.values() if v.startswith('t')], [])


@case('service_name_header_with_host', 'with service_name_header the Host is still copied')
def _(c):
    r, u, s = http_case(c, 200, config={'service_name_header': 'X-Service'}, headers=[('Host', 'h.example')])
    c.eq('host', u.last.headers.get('host'), 'h.example')


@case('service_name_header_wins', 'the client cannot set the service name header by copying')
def _(c):
    s = c.server({'service_name_header': 'X-Service', 'http_headers_to_copy': ['X-Service']})
    u, n = upstream(c), c.svc()
    c.resp(s.get('/http/%s/%d/x' % (n, u.port), [('X-Service', 'forged')]), status=200)
    c.eq('x-service', [v for k, v in u.last.header_list if k == 'x-service'], [n])


@case('service_name_header_https', 'service_name_header on HTTPS checks')
def _(c):
    s, u, n = c.server({'service_name_header': 'X-Service'}), upstream(c, tls=tls(c)), c.svc()
    c.resp(s.get('/https/%s/%d/x' % (n, u.port)), status=200)
    c.eq('x-service', u.last.headers.get('x-service'), n)


@case('x_forwarded_for_ignored', 'X-Forwarded-For and X-Real-IP do not change the counted address')
def _(c):
    s = c.server(fresh=True)
    s.get('/spool/svc/0', [('X-Forwarded-For', '9.9.9.9'), ('X-Real-IP', '8.8.8.8')])
    c.eq('counts', s.get('/status/count').json().get('service_access_counts'), {'svc': {'127.0.0.1': 1}})
