"""Values of a config: read from ``--set``, checked against the experiment's ``Config``, written.

A refusal names the key, the value it got, what is allowed and the nearest valid key.
"""

import dataclasses
import difflib
import json
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Iterator
from typing import Any

import pydantic

from jaxlab.checks import nearest
from jaxlab.runner.registry import UsageError

__all__ = ["apply", "differences", "dump_toml", "parse_set", "spelled", "to_values", "validate"]

_BOUNDS = {
    "greater_than": (">", "gt"),
    "greater_than_equal": (">=", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("<=", "le"),
}


def parse_set(text: str) -> list[tuple[str, Any]]:
    """Split ``"key=value key.sub=value"`` into dotted keys and their values.

    A value is read as TOML; what TOML cannot read is a string, so that ``data.name=digits`` needs
    no quotes, and so are its dates and times, which no config has. Spaces inside quotes and
    brackets belong to the value.

    Example:
        >>> parse_set("seeds=5 data.name=digits sigma=[0.2, 0.3] names=[dot,cosine]")
        [('seeds', 5), ('data.name', 'digits'), ('sigma', [0.2, 0.3]), ('names', ['dot', 'cosine'])]
    """
    pairs = []
    for item in _split(text, " \t\n"):
        if item[0] in "\"'" and item[-1] == item[0] and "=" in item:
            item = item[1:-1]  # the whole assignment was quoted
        key, equals, value = item.partition("=")
        if not equals or not key or not value:
            raise UsageError(f"--set: expected key=value, got {item!r}")
        pairs.append((key, _value(value)))
    return pairs


def spelled(value: Any) -> str:
    """A value as :func:`parse_set` reads it back, with quotes only where they are needed.

    Example:
        >>> print(spelled(["dot", "true", 0.5]), spelled({"name": "digits"}))
        [dot,"true",0.5] {name = "digits"}
    """
    if isinstance(value, str) and re.fullmatch(r"[\w-]+", value) and _value(value) == value:
        return value
    if isinstance(value, list):
        return f"[{','.join(spelled(item) for item in value)}]"
    return _toml(value)


def apply(values: dict[str, Any], pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """``values`` with every dotted key of ``pairs`` set."""
    for key, value in pairs:
        *tables, last = key.split(".")
        at = values
        for table in tables:
            at = at.setdefault(table, {})
            if not isinstance(at, dict):
                raise UsageError(f"{key} = {_show(value)}: {table!r} is a value, not a table")
        at[last] = value
    return values


def validate(config_class: type, values: dict[str, Any], where: str) -> Any:
    """The ``Config`` made of ``values``, or a refusal with one line per wrong key.

    Types are strict: a whole number may stand for a float, but ``true`` is not 1 nor ``"5"`` 5.
    """
    try:
        text = json.dumps(values)
    except TypeError as error:  # TOML's dates and times
        raise UsageError(f"{where}: {error}") from error
    try:
        return pydantic.TypeAdapter(config_class).validate_json(text, strict=True)
    except pydantic.ValidationError as error:
        known = list(_keys(config_class))
        problems = [_explain(problem, values, known) for problem in error.errors()]
        unique = list(dict.fromkeys(problems))
        raise UsageError("\n  ".join([f"{where}:", *unique])) from None


def to_values(config: Any) -> dict[str, Any]:
    """The plain values of a ``Config``, for TOML and JSON."""
    return pydantic.TypeAdapter(type(config)).dump_python(config, mode="json")


def differences(left: dict[str, Any], right: dict[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys whose values differ.

    Example:
        >>> differences({"seed": 0, "data": {"name": "a"}}, {"seed": 0, "data": {"name": "b"}})
        ['data.name']
    """
    found = []
    for key in sorted(left.keys() | right.keys()):
        one, two = left.get(key), right.get(key)
        if isinstance(one, dict) and isinstance(two, dict):
            found += differences(one, two, f"{prefix}{key}.")
        elif one != two or (key in left) != (key in right):
            found.append(prefix + key)
    return found


def dump_toml(values: dict[str, Any], prefix: str = "") -> str:
    """``values`` as TOML: scalars and lists first, then one table per nested dict.

    ``None``, which TOML cannot say, is left out.

    Example:
        >>> print(dump_toml({"seeds": 5, "sigma": [0.2, 1.0], "data": {"name": "digits"}}), end="")
        seeds = 5
        sigma = [0.2, 1.0]
        <BLANKLINE>
        [data]
        name = "digits"
    """
    lines = [
        f"{_toml_key(key)} = {_toml(value)}\n"
        for key, value in values.items()
        if not isinstance(value, dict) and value is not None
    ]
    for key, value in values.items():
        if isinstance(value, dict):
            name = f"{prefix}{_toml_key(key)}"
            lines.append(f"\n[{name}]\n" + dump_toml(value, f"{name}."))
    return "".join(lines)


def _split(text: str, separators: str) -> list[str]:
    """Split at ``separators`` that stand outside quotes and brackets."""
    parts, part, quote, depth, escaped = [], "", "", 0, False
    for character in text:
        if quote:
            quote = "" if character == quote and not escaped else quote
            escaped = character == "\\" and quote == '"' and not escaped
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "[{") - (character in "]}")
        if character in separators and not quote and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += character
    if quote or depth:
        raise UsageError(f"--set: a quote or bracket is left open in {text!r}")
    return [part for part in [*parts, part] if part.strip(separators)]


def _value(text: str) -> Any:
    text = text.strip()
    try:
        parsed = tomllib.loads(f"value = {text}")
        json.dumps(parsed)  # JSON has no dates and times
        if set(parsed) == {"value"}:
            return parsed["value"]
    except (tomllib.TOMLDecodeError, TypeError):
        pass
    if text.startswith("[") and text.endswith("]"):
        return [_value(item) for item in _split(text[1:-1], ",")]
    # numbers that Python knows and TOML does not
    return float(text) if re.fullmatch(r"[+-]?(\d+\.|\.\d+)(e[+-]?\d+)?", text) else text


def _explain(problem: Any, values: Any, known: list[str]) -> str:
    """One line on one of pydantic's findings."""
    absent = problem["type"].startswith("missing")
    key = _dotted(problem["loc"][:-1] if absent else problem["loc"], values)
    if absent:
        return f"{key}.{problem['loc'][-1]}: missing".removeprefix(".")
    kind, got = problem["type"], _show(problem["input"])
    if kind == "unexpected_keyword_argument":
        table = key.rpartition(".")[0]
        siblings = [name for name in known if name.rpartition(".")[0] == table]
        close = _nearest_key(key, siblings, known)
        hint = f"; did you mean {close!r}?" if close else ";"
        inside = f" in [{table}]" if table else ""
        return f"{key} = {got}: unknown key{hint} known{inside}: {', '.join(siblings)}"
    allowed = str(problem["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    if kind == "value_error":  # of a table as a whole: the message names the key
        return f"{key}.{allowed}".removeprefix(".")
    if kind in _BOUNDS:
        sign, limit = _BOUNDS[kind]
        allowed = f"a number {sign} {problem['ctx'][limit]:g}"
    hint = ""
    if kind == "literal_error" and isinstance(problem["input"], str):
        choices = [choice.strip("'") for choice in _quoted(problem["ctx"]["expected"])]
        close = nearest(problem["input"], choices)
        hint = f"; did you mean {close!r}?" if close else ""
    return f"{key} = {got}: expected {allowed}{hint}"


def _dotted(location: Iterable[str | int], values: Any) -> str:
    """A place in ``values`` as ``table.key[2]``.

    pydantic also names members of unions there; those are no keys of the file and are left out.
    """
    path = ""
    for part in location:
        in_table = isinstance(values, dict) and part in values
        in_list = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if in_table or in_list:
            values = values[part]
            path += f"[{part}]" if in_list else f".{part}"
    return path.removeprefix(".")


def _nearest_key(key: str, siblings: list[str], known: list[str]) -> str | None:
    """A key misspelled beside its siblings, or one whose table was forgotten."""
    last = key.rpartition(".")[2]
    moved = [name for name in known if name.rpartition(".")[2] == last]
    if moved:
        return moved[0]
    by_last = {name.rpartition(".")[2]: name for name in [*known, *siblings]}
    matches = difflib.get_close_matches(last, by_last, n=1, cutoff=0.5)
    return nearest(key, siblings) or (by_last[matches[0]] if matches else None)


def _quoted(text: str) -> list[str]:
    return [part for part in text.replace(" or ", ", ").split(", ") if part]


def _keys(config_class: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys of a ``Config``, tables included."""
    hints = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        yield prefix + field.name
        for table in _tables(hints[field.name]):
            yield from _keys(table, f"{prefix}{field.name}.")


def _tables(hint: Any) -> Iterator[type]:
    """The config classes that a type names, directly or as a member of a union."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint
    elif typing.get_origin(hint) in (typing.Union, types.UnionType, typing.Annotated):
        for member in typing.get_args(hint):
            yield from _tables(member)


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _toml_key(key: str) -> str:
    bare = key.isascii() and key.replace("_", "a").replace("-", "a").isalnum()
    return key if bare else _toml(key)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        # TOML's basic strings are JSON's, except that DEL must be escaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, dict):
        items = ", ".join(f"{_toml_key(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{{items}}}"
    raise TypeError(f"TOML has no {type(value).__name__}")
