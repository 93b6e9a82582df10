"""Where HTML and SVG are built from Python, escaping cannot be forgotten: no f-string fills a text with tags."""

import ast
import re

import pytest

from comparer.reporting.markup import Markup, join, markup
from helpers.runs import ROOT

TAG = re.compile(r"<[a-zA-Z/!]|&[a-z]+;")
ALLOWED = {
    "comparer/reporting/script/weights.py": "Python code",
    "comparer/ui/serve.py": "text of the terminal",
}


def filled(tree):
    """Yield the places where a text with tags is filled without escaping: f-strings, %, and format of a plain text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            said = "".join(part.value for part in node.values if isinstance(part, ast.Constant))
            parts = any(isinstance(part, ast.FormattedValue) for part in node.values)
            if parts and TAG.search(said):
                yield node.lineno
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and tagged(node.left):
            yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            if tagged(node.func.value):
                yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Markup", "markup"):
            # What is trusted is a text of the source; what is put into it goes through ``markup``.
            inside = [part for first in node.args[:1] for part in ast.walk(first)]
            yield from [node.lineno for part in inside if isinstance(part, ast.BinOp | ast.FormattedValue)]


def tagged(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(TAG.search(node.value))


@pytest.mark.parametrize(
    "path", sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "comparer").rglob("*.py"))
)
def test_no_text_with_tags_is_filled_without_escaping(path):
    found = list(filled(ast.parse((ROOT / path).read_text(encoding="utf-8"))))
    assert bool(found) == (path in ALLOWED), f"{path}, lines {found}: use markup(), which escapes"


@pytest.mark.parametrize(
    "code",
    ['f"<b>{x}</b>"', 'f"a" f"<br>{x}"', '"<b>%s</b>" % x', '"<b>{}</b>".format(x)', 'f"{x}&amp;"', 'markup(f"{x}")',
     'Markup("<b>" + x)', 'Markup(f"{x}" if x else "")'],
)  # fmt: skip
def test_what_forgets_to_escape_is_found(code):
    assert list(filled(ast.parse(code)))


@pytest.mark.parametrize("code", ['f"{a} < {b}"', 'markup("<b>{}</b>", x)', 'f"<br>"', '"{}".format(x)', '"<b>"'])
def test_what_escapes_or_has_no_tags_is_not(code):
    assert not list(filled(ast.parse(code)))


HARM = "<img src=x onerror=\"harm()\" title='&'>"
SAFE = "&lt;img src=x onerror=&quot;harm()&quot; title=&#x27;&amp;&#x27;&gt;"


def test_only_markup_passes_as_it_is():
    assert markup("<b>{}</b>", HARM) == f"<b>{SAFE}</b>" == markup("<b>{}</b>", markup("{}", HARM))
    assert join([HARM, Markup("<br>")], "<") == f"{SAFE}&lt;<br>"
    assert Markup("<br>") + HARM == f"<br>{SAFE}" and HARM + Markup("<br>") == f"{SAFE}<br>"
    assert markup("{:>3} {:.1f} {}", "<", 1.25, None) == "  &lt; 1.2 None"
    assert Markup("a T b").replace("T", "<i>") == "a &lt;i&gt; b"
    made = (markup("{}", 1), join([]), Markup() + "a", "a" + Markup(), Markup("a")[:1])
    assert all(type(each) is Markup for each in made)


def test_braces_of_a_value_are_no_places():
    assert markup("{}{}", "{0}{x}", "{") == "{0}{x}{"
