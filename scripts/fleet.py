"""What `scripts/prove fleet` draws: the share of phones with the newest pin set, for each trouble."""
import json

# Background, text, grid, line.
COLOURS = {"light": ("#ffffff", "#1f2328", "#d1d9e0", "#0969da"),
           "dark": ("#0d1117", "#f0f6fc", "#3d444d", "#4493f8")}
WIDTH, HEIGHT, COLUMNS, MARGIN = 300, 130, 3, 44
# What happens on which day, as core/src/update/fleet/owner.rs has it.
EVENTS = [(10.3, "a key is withdrawn"), (31.7, "another"), (40.5, "a rotation comes 12 hours late"),
          (52.4, "a key is withdrawn"), (61, "a stolen signer is left behind"),
          (89, "nobody renews: stale"), (99, "renewed"), (105, "a new signer")]


def panel(series, x, y, colours):
    _, text, grid, line = colours
    shares = series["shares"]
    right = x + WIDTH - 16
    across = lambda at: x + (right - x) * at / max(1, len(shares))
    up = lambda share: y + HEIGHT - 34 - (HEIGHT - 60) * share
    parts = [f'<text x="{x}" y="{y + 12}" fill="{text}" font-weight="600">{series["name"]}</text>']
    for share in (0, 0.5, 1):
        parts.append(f'<path d="M{x} {up(share):.1f}H{right}" stroke="{grid}"/>'
                     f'<text x="{x - 6}" y="{up(share) + 4:.1f}" fill="{text}" text-anchor="end">'
                     f'{share * 100:.0f} %</text>')
    for day, _ in EVENTS:
        parts.append(f'<path d="M{across(day * 4):.1f} {up(0):.1f}v4" stroke="{text}"/>')
    for day in range(0, len(shares) // 4 + 1, 30):
        parts.append(f'<text x="{across(day * 4):.1f}" y="{up(0) + 18:.1f}" fill="{text}" '
                     f'text-anchor="middle">{day}</text>')
    points = " ".join(f"{across(i + 1):.1f},{up(share):.1f}" for i, share in enumerate(shares))
    parts.append(f'<polyline points="{points}" fill="none" stroke="{line}" stroke-width="1.2"/>')
    return "".join(parts)


def draw(result, folder):
    """Writes fleet-light.svg and fleet-dark.svg."""
    rows = -(-len(result["series"]) // COLUMNS)
    width, height = COLUMNS * (WIDTH + MARGIN), rows * HEIGHT + 20
    for name, colours in COLOURS.items():
        panels = [panel(series, MARGIN + (i % COLUMNS) * (WIDTH + MARGIN), 14 + i // COLUMNS * HEIGHT, colours)
                  for i, series in enumerate(result["series"])]
        (folder / f"fleet-{name}.svg").write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="system-ui, sans-serif" font-size="11">\n'
            f'<title>Share of phones with the newest pin set, by day</title>\n'
            f'<rect width="{width}" height="{height}" fill="{colours[0]}"/>\n' + "\n".join(panels)
            + "\n</svg>\n")


def read(file):
    return json.loads(file.read_text())
