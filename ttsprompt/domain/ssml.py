"""SSML as Vonage takes it: one well-formed `<speak>` around the whole text (docs/vonage.md §2.1)."""

from __future__ import annotations

from xml.parsers import expat


def is_ssml(text: str) -> bool:
    """Tell whether a text means to be SSML; any other may hold `<` and `&` as it likes."""
    return text.lstrip().startswith("<speak")


def ssml_fault(text: str) -> str | None:
    """Return what is wrong with an SSML text, and where; None when it is well formed.

    Declarations are refused before anything is parsed: no voice needs them, and entities can grow without bound.
    """
    for start in ("<!", "<?"):
        if start in text:
            return f"Declarations and instructions are not part of SSML here (character {text.index(start) + 1})."
    names: list[str] = []
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = lambda name, _attributes: names.append(name)
    try:
        parser.Parse(text.strip().encode(), True)
    except expat.ExpatError as error:
        return f"{expat.ErrorString(error.code).capitalize()} (line {error.lineno}, column {error.offset + 1})."
    return None if names[0] == "speak" else "The text must be inside one <speak> element (line 1, column 1)."
