"""pydantic's errors as one line."""

from pydantic import ValidationError


def first_message(error: ValidationError) -> str:
    """The first problem of a pydantic error as 'place: problem', with a count of the rest."""
    problems = error.errors(include_url=False)
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"])
    text = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        text = "is not a known setting: remove or correct it"
    elif first["type"] not in ("missing", "value_error") and not isinstance(first["input"], dict):
        text += f", found {first['input']!r}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {text}{more}" if place else f"{text}{more}"
