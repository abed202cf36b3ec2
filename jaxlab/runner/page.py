"""The scoreboard as one HTML file that needs nothing else: styles and figures are inside it."""

import base64
import struct
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from jaxlab.runner.gather import Shown, title
from jaxlab.runner.peers import COLUMNS, Peers
from jaxlab.runner.report import holds_word

__all__ = ["write_page"]

_MARKS = {True: ("holds", "✓"), False: ("fails", "✗"), None: ("open", "?")}

_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f6f4; --card: #ffffff; --ink: #1d1f21; --quiet: #5f6368; --rule: #e2e2de;
  --link: #005a92; --holds: #00694a; --holds-bg: #dcf3e9; --fails: #a23b00; --fails-bg: #fde6d8;
  --open: #6b5a00; --open-bg: #f8efc8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #17191b; --card: #212427; --ink: #e8e8e6; --quiet: #a3a8ad; --rule: #35393d;
    --link: #7cc4f2; --holds: #79dcb5; --holds-bg: #123a2c; --fails: #ffab7d; --fails-bg: #4a230f;
    --open: #ecd96f; --open-bg: #403811;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .25rem 0; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
.headline { font-size: 1.15rem; color: var(--quiet); }
.facts, .newer, .preset, figcaption, dt { color: var(--quiet); font-size: .85rem; }
.facts span + span::before { content: " · "; }
.newer { color: var(--open); }
.card {
  background: var(--card); border: 1px solid var(--rule); border-radius: .6rem;
  padding: 1.1rem 1.2rem; margin: 0 0 1.1rem;
}
.overview { list-style: none; margin: 1.25rem 0 0; padding: .4rem 1.2rem; }
.overview li {
  display: flex; gap: .75rem; justify-content: space-between; align-items: center;
  padding: .45rem 0; border-top: 1px solid var(--rule);
}
.overview li:first-child { border-top: 0; }
.overview a { overflow-wrap: anywhere; }
.marks { display: flex; flex-wrap: wrap; gap: .3rem; justify-content: flex-end; }
.mark { width: 1.5rem; line-height: 1.5rem; border-radius: 50%; text-align: center; }
.mark, .badge { font-size: .82rem; font-weight: 600; white-space: nowrap; }
.badge { border-radius: 1rem; padding: .1rem .65rem; }
.holds { color: var(--holds); background: var(--holds-bg); }
.fails { color: var(--fails); background: var(--fails-bg); }
.open { color: var(--open); background: var(--open-bg); }
.claim { border-top: 1px solid var(--rule); margin-top: .9rem; padding-top: .9rem; }
.claim > p { display: flex; gap: .75rem; justify-content: space-between; align-items: flex-start; }
.source { color: var(--quiet); }
dl { display: grid; grid-template-columns: repeat(3, 1fr); gap: .25rem 1.25rem; margin: .5rem 0 0; }
dd { margin: 0; overflow-wrap: anywhere; }
.ours { font-weight: 600; }
.figures {
  display: grid; gap: 1rem; margin-top: 1.1rem; grid-auto-flow: dense;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
}
figure { margin: 0; }
figure.wide { grid-column: 1 / -1; }
figure img {
  display: block; max-width: 100%; height: auto; margin: 0 auto;
  background: #ffffff; border-radius: .35rem; padding: .3rem;
}
figcaption { margin-top: .35rem; }
summary { font-weight: 600; cursor: pointer; }
.scroll { overflow-x: auto; margin: .75rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { color: var(--quiet); font-weight: 400; font-size: .85rem; text-align: left; }
th, td { padding: .35rem .9rem .35rem 0; border-top: 1px solid var(--rule); vertical-align: top; }
tr:first-child th { border-top: 0; }
td:last-child { white-space: nowrap; }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .35rem; }
  .claim > p { flex-direction: column-reverse; gap: .35rem; }
  .card { padding: .9rem; }
}
@media (prefers-color-scheme: dark) { figure img { background: #f4f4f2; } }
@media print { .card { break-inside: avoid; } }
"""


def write_page(
    shown: Sequence[Shown], peers: Mapping[str, Peers], missing: Sequence[str], headline: str
) -> str:
    """The page.

    Args:
        shown: the experiments, ordered by room.
        peers: times relative to other implementations, by room.
        missing: experiments without a finished run.
        headline: the result in one line.
    """
    parts = [f'<h1>jaxlab scoreboard</h1><p class="headline">{escape(headline)}</p>']
    if shown:
        rows = "".join(_overview(one) for one in shown)
        parts.append(f'<ul class="card overview">{rows}</ul>')
    for room, members in groupby(shown, key=lambda one: one.room):
        parts.append(f"<h2>{escape(title(room))}</h2>")
        parts += [_experiment(one) for one in members]
        parts += [_peers(peers[room])] if room in peers else []
    if missing:
        names = "".join(f"<li>{escape(name)}</li>" for name in missing)
        parts.append(f"<h2>No finished run yet</h2><ul>{names}</ul>")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>jaxlab scoreboard</title><style>{_STYLE}</style></head>\n"
        f"<body><main>\n{chr(10).join(parts)}\n</main></body></html>\n"
    )


def _overview(one: Shown) -> str:
    marks = ""
    for claim in one.claims:
        kind, mark = _MARKS[claim["holds"]]
        title = escape(f"{holds_word(claim['holds'])}: {claim['statement']}", quote=True)
        marks += f'<span class="mark {kind}" title="{title}" role="img" aria-label="{title}">'
        marks += f"{mark}</span>"
    name = escape(one.name)
    preset = escape(one.preset)
    return (
        f'<li><span><a href="#{name}">{name}</a> <span class="preset">{preset}</span></span>'
        f'<span class="marks">{marks}</span></li>'
    )


def _experiment(one: Shown) -> str:
    facts = "".join(f"<span>{escape(fact)}</span>" for fact in one.facts)
    newer = ""
    if one.newer is not None:
        newer = f'<p class="newer">This is the newest finished run; {escape(one.newer)}.</p>'
    claims = "".join(_claim(claim) for claim in one.claims)
    figures = "".join(
        _figure(one.path / "figures" / f"{name}.png", caption)
        for name, caption in one.figures.items()
    )
    return (
        f'<article class="card" id="{escape(one.name)}"><h3>{escape(one.name)}</h3>'
        f'<p>{escape(one.summary)}</p><p class="facts">{facts}</p>{newer}{claims}'
        f'<div class="figures">{figures}</div></article>'
    )


def _claim(claim: dict[str, Any]) -> str:
    kind, _ = _MARKS[claim["holds"]]
    word = holds_word(claim["holds"])
    return (
        f'<section class="claim"><p><span>{escape(claim["statement"])} '
        f'<span class="source">({escape(claim["source"])})</span></span>'
        f'<span class="badge {kind}">{word}</span></p><dl>'
        f"<div><dt>Paper</dt><dd>{escape(claim['paper'])}</dd></div>"
        f'<div><dt>Ours</dt><dd class="ours">{escape(claim["ours"] or "not measured")}</dd></div>'
        f"<div><dt>Holds when</dt><dd>{escape(claim['criterion'])}</dd></div></dl></section>"
    )


def _peers(peers: Peers) -> str:
    heads = "".join(f"<th>{escape(column)}</th>" for column in COLUMNS)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in peers.rows
    )
    return (
        f'<details class="card" open><summary>Against peers: {len(peers.rows)} comparisons of time'
        f'</summary><div class="scroll"><table><tr>{heads}</tr>{rows}</table></div>'
        f'<p class="facts">Below 1 jaxlab is faster. {escape(peers.measured)}</p></details>'
    )


def _figure(path: Path, caption: str) -> str:
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    if len(data) < 24:
        return f"<figure><figcaption>{escape(path.name)} is missing.</figcaption></figure>"
    width, height = struct.unpack(">II", data[16:24])  # the header chunk of a PNG file
    wide = ' class="wide"' if width > 1.75 * height else ""
    encoded = base64.b64encode(data).decode()
    return (
        f'<figure{wide}><img src="data:image/png;base64,{encoded}" width="{width}" '
        f'height="{height}" loading="lazy" alt="{escape(caption, quote=True)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
