"""Words as they are compared: without case and accents."""

import re
import unicodedata

MAX_WORD = 40


def words(text: str) -> list[str]:
    """The words of a text as they are stored: folded, each once, in order."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return list(dict.fromkeys(word[:MAX_WORD] for word in re.findall(r"[^\W_]+", plain)))


def tag_word(label: str) -> str:
    """A tag as one word: `#golden-hour`; empty if it has no letter or digit."""
    parts = words(label)
    return ("#" + "-".join(parts))[:MAX_WORD] if parts else ""
