"""Keep the README's table of options as ``config.OPTIONS`` has it: ``python -m comparer.readme README.md``."""

import sys
from pathlib import Path

from comparer.config import OPTIONS

BEGIN, END = "<!-- options -->", "<!-- /options -->"


def table() -> str:
    """Write the options as a Markdown table."""
    rows = ["| flag | variable | default | |", "| --- | --- | --- | --- |"]
    for option in OPTIONS:
        takes = option.takes.replace("|", "\\|")
        names = ", ".join(f"`{name}`" for name in (option.variable, option.also) if name)
        rows.append(f"| `{option.flag} {takes}` | {names} | {option.default} | {option.help} |")
    return "\n".join(rows)


def up_to_date(text: str) -> str:
    """Return a README's text with today's table between its two marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(up_to_date(path.read_text(encoding="utf-8")), encoding="utf-8")
