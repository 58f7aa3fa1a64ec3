"""Plots of throughput against services, downtimes and connections, as SVG."""
import os

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 480, 280, 70, 45, 30
PLOTS = {'by services': 'services known', 'by downtimes': 'downtimes in the spool', 'by connections': 'connections'}


def write(folder, rows):
    os.makedirs(folder, exist_ok=True)
    for row in rows:
        if row['work'] in PLOTS:
            path = os.path.join(folder, row['work'].replace(' ', '-') + '.svg')
            with open(path, 'w') as f:
                f.write(svg(PLOTS[row['work']], row['requests_per_second']))


def svg(label, spread):
    """Bars of the medians, each with a line from the slowest round to the fastest."""
    points = sorted(((int(n), v) for n, v in spread.items()))
    highest = max(high for _, (_, _, high) in points)
    tick = next(t for e in range(9) for t in (10 ** e, 2 * 10 ** e, 5 * 10 ** e) if t * 5 >= highest)
    top = tick * 5
    step = (WIDTH - LEFT - 20) / len(points)
    height = HEIGHT - BOTTOM - TOP

    def y(value):
        return HEIGHT - BOTTOM - value / top * height

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">'
           % (WIDTH, HEIGHT), '<rect width="100%" height="100%" fill="white"/>',
           '<text x="%d" y="18">checks a second, keep-alive</text>' % LEFT]
    for value in range(0, top + 1, tick):
        out.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>' % (LEFT, WIDTH - 20, y(value), y(value)))
        out.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>' % (LEFT - 6, y(value) + 4, format(value, ',')))
    for i, (n, (low, mid, high)) in enumerate(points):
        x = LEFT + step * (i + 0.5)
        out.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#4477aa"/>'
                   % (x - step * 0.3, y(mid), step * 0.6, HEIGHT - BOTTOM - y(mid)))
        out.append('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="black"/>' % (x, x, y(low), y(high)))
        out.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' % (x, HEIGHT - BOTTOM + 16, format(n, ',')))
    out.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' % ((WIDTH + LEFT) // 2, HEIGHT - 8, label))
    return '\n'.join(out + ['</svg>', ''])
