# Part of the Rapt project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

"""Bars of the fraction of the peak, as SVG, one picture for each group."""

import html

WIDTH, LABEL, BAR, GAP = 760, 300, 12, 6
COLOURS = ("#2f6f9f", "#d08030", "#5a9a5a", "#8a5aa0")


def drawGroup(group, rows):
    """A bar for each row: the median, and a tick at the best round."""
    scale = (WIDTH - LABEL - 60) / 100
    threads = sorted({row["threads"] for row in rows})
    parts = []
    y = 34
    last = None
    for row in rows:
        if row["case"] != last:
            last = row["case"]
            y += GAP
            parts.append(f'<text x="{LABEL - 8}" y="{y + BAR - 2}" '
                         f'text-anchor="end">{html.escape(last)}</text>')
        colour = COLOURS[threads.index(row["threads"]) % len(COLOURS)]
        wide = max(0.0, 100 * row["fraction"]) * scale
        best = LABEL + 100 * row["best_fraction"] * scale
        parts.append(f'<rect x="{LABEL}" y="{y}" width="{wide:.1f}" '
                     f'height="{BAR}" fill="{colour}"/>')
        parts.append(f'<path d="M{best:.1f} {y}v{BAR}" stroke="#222"/>')
        parts.append(f'<text x="{best + 5:.1f}" y="{y + BAR - 2}">'
                     f'{100 * row["fraction"]:.0f}</text>')
        y += BAR + 1
    height = y + 30
    grid = "".join(
        f'<path d="M{LABEL + n * scale:.1f} 30V{y + 4}" stroke="#ccc"/>'
        f'<text x="{LABEL + n * scale:.1f}" y="{y + 18}" '
        f'text-anchor="middle">{n} %</text>'
        for n in (0, 25, 50, 75, 100))
    legend = ", ".join(
        f'<tspan fill="{COLOURS[n % len(COLOURS)]}">{count} thread'
        f'{"s" if count > 1 else ""}</tspan>' for n, count in enumerate(threads))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
            f'height="{height}" font-family="sans-serif" font-size="11">'
            f'<rect width="100%" height="100%" fill="white"/>'
            f'<text x="8" y="20" font-size="13">{html.escape(group)}: useful '
            f'work of the multiply-add peak; {legend}</text>'
            f'{grid}{"".join(parts)}</svg>\n')


def draw(rows, folder):
    """Writes GROUP.svg for each group of rows; gives the paths."""
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    paths = []
    for group, own in groups.items():
        path = folder / (group.replace(" ", "-") + ".svg")
        path.write_text(drawGroup(group, own))
        paths.append(path)
    return paths
