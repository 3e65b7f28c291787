"""Text from outside, made safe to show."""


def shown(text: str) -> str:
    """Return `text` on one line: control characters and bytes that are not UTF-8 are written as escapes."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
        for letter in text
    )
