"""``report.md``: one run, written so that it can be read without the code."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxlab.runner.reporter import Results

__all__ = [
    "claims_table",
    "describe_device",
    "duration",
    "holds_word",
    "markdown_table",
    "number",
    "write_report",
]

_BANNERS = {
    "unfinished": "This run is not finished: it is still at work, or it was killed.",
    "interrupted": "This run was interrupted. What follows is incomplete.",
    "failed": "This run failed. What follows is incomplete.",
}


def write_report(
    results: Results,
    *,
    environment: dict[str, Any],
    seconds: float | None,
    config: str,
    commands: dict[str, str],
) -> str:
    """The report as Markdown.

    Args:
        results: what the experiment reported.
        environment: content of ``environment.json``; empty when the run ended before it was known.
        seconds: how long the run took; None when it has not ended.
        config: the complete config as TOML.
        commands: the command lines that "repeat" the run and "resume" it.
    """
    parts = [f"# {results.experiment}", results.summary]
    if results.status != "finished":
        parts.append(_banner(results, commands["resume"]))
    facts = [f"preset `{results.preset}`"]
    facts += [f"`{override}`" for override in results.overrides]
    if environment:
        facts += [describe_device(environment), environment["started"][:10]]
    facts += [duration(seconds)] if seconds is not None else []
    parts.append(" · ".join(facts))
    if results.claims:
        parts += ["## The paper's claims", claims_table(results.judged_claims())]
    if results.notes:
        parts += ["## Notes", *results.notes]
    if results.figures:
        parts.append("## Figures")
        for name, caption in results.figures.items():
            parts += [f"![{name}](figures/{name}.png)", f"*{_one_line(caption)}*"]
    if results.tables:
        parts.append("## Tables")
        for table in results.tables.values():
            parts += [f"**{_one_line(table['caption'])}**"]
            parts += [markdown_table(table["columns"], table["rows"])]
    for heading, numbers in (
        ("## Numbers", results.scalars),
        ("## Timings (they differ from run to run)", results.timings),
    ):
        if numbers:
            parts += [heading, markdown_table(("name", "value"), list(numbers.items()))]
    parts += ["## How it was made", f"```sh\n{commands['repeat']}\n```"]
    parts += [f"The complete config (`config.toml`):\n\n```toml\n{config.strip()}\n```"]
    if environment:
        parts.append(_provenance(environment))
    return "\n\n".join(parts) + "\n"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; columns of numbers are aligned right.

    Example:
        >>> print(markdown_table(("name", "recall"), [("dot", 0.60512), ("l1", 0.5)]))
        | name | recall |
        | --- | ---: |
        | dot | 0.6051 |
        | l1 | 0.5 |
    """
    numeric = [
        bool(rows) and all(_is_number(row[index]) or row[index] is None for row in rows)
        for index in range(len(columns))
    ]
    lines = [[_cell(column) for column in columns], ["---:" if n else "---" for n in numeric]]
    lines += [[_cell(number(value)) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: Any) -> str:
    """A value for human eyes: four significant digits, and powers of ten only when needed.

    Example:
        >>> [number(value) for value in (0.96834, 12, 1234567.0, 2.5e-06, True, None, [1, 0.5])]
        ['0.9683', '12', '1.235e+06', '2.5e-06', 'yes', '–', '1, 0.5']
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(number(item) for item in value)
    return str(value)


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    Example:
        >>> [duration(seconds) for seconds in (0.44, 12.3, 75.0, 7384.0)]
        ['0.4 s', '12 s', '1 min 15 s', '2 h 3 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def describe_device(environment: dict[str, Any]) -> str:
    """The device in a few words: the accelerator's kind, or the processor's name."""
    device = environment["device"]
    if device["platform"] != "cpu":
        return f"{device['count']} × {device['kind']}" if device["count"] > 1 else device["kind"]
    many = f" ({device['count']} virtual devices)" if device["count"] > 1 else ""
    return f"{environment['processor']}{many}"


def holds_word(holds: bool | None) -> str:
    """The verdict as the reports spell it."""
    return {True: "holds", False: "does not hold", None: "not decided"}[holds]


def _banner(results: Results, resume: str) -> str:
    lines = [f"**{_BANNERS[results.status]}**", ""]
    if results.error is not None:
        lines += ["```", *results.error.splitlines(), "```", ""]
    lines.append(f"Finished cells are kept; resume with `{resume}`")
    return "\n".join(f"> {line}".rstrip() for line in lines)


def claims_table(claims: Iterable[Mapping[str, Any]]) -> str:
    """Claims, what the paper and the run measured, and the verdicts."""
    rows = [
        (
            f"**{claim['statement']}** ({claim['source']})",
            claim["paper"],
            claim["ours"] or "not measured",
            claim["criterion"],
            f"**{holds_word(claim['holds'])}**",
        )
        for claim in claims
    ]
    return markdown_table(("Claim", "Paper", "Ours", "Criterion", "Verdict"), rows)


def _provenance(environment: dict[str, Any]) -> str:
    packages = environment["packages"]
    git = environment["git"]
    revision = "not from a git checkout"
    if git is not None:
        changed = " with uncommitted changes" if git["dirty"] else ""
        revision = f"revision `{git['revision'][:12]}`{changed}"
    text = f"jaxlab {environment['jaxlab']} ({revision}), jax {packages['jax']}, "
    text += f"Python {environment['python']}, {describe_device(environment)}."
    earlier = environment.get("earlier_sessions", [])
    if earlier:
        text += f" Resumed {len(earlier)} time{'s' if len(earlier) > 1 else ''}"
        differs = [key for key in ("device", "packages", "git") if _changed(key, environment)]
        text += f"; {' and '.join(differs)} changed in between." if differs else "."
    return text


def _changed(key: str, environment: dict[str, Any]) -> bool:
    return any(session.get(key) != environment[key] for session in environment["earlier_sessions"])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(text: str) -> str:
    return _one_line(text).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())
