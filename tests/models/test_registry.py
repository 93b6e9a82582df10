"""The registry of families, and that no other module of the program knows a family by name."""

import ast
import re

from comparer.models import samplers
from comparer.models.catalog import CATALOG
from comparer.models.families.registry import FAMILIES
from helpers.runs import ROOT

PACKAGE = ROOT / "comparer"
ALLOWED = {
    "models/catalog.py": {"sd1"},  # the demo's family
    "accelerators/tgate.py": {family.pipeline for family in FAMILIES.values()},  # the package's loaders are for these
}
KNOWN = {word for family in FAMILIES.values() for word in (family.name, family.pipeline, family.denoiser_class)}
GROUPS = {re.split(r"\W|\d", name)[0] for name in FAMILIES}  # "pixart", as in a test of a name's beginning


def texts(tree):
    """Yield every text of a module except its docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree)
                  if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_no_module_outside_the_families_names_one():
    named = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith("models/families/"):
            found = set(texts(ast.parse(path.read_text(encoding="utf-8")))) & (KNOWN | GROUPS)
            named |= {name: found} if found else {}
    assert set(named) == set(ALLOWED), "say it in the family's file, as a field of Family"
    assert all(found <= ALLOWED[name] for name, found in named.items())


def test_families_of_one_pipeline_class_are_told_apart():
    for kind in {family.pipeline for family in FAMILIES.values()}:
        assert [family.matches for family in FAMILIES.values() if family.pipeline == kind].count(None) == 1


def test_the_catalogue_is_the_demo_and_every_familys_models():
    models = [(name, model) for name, family in FAMILIES.items() for model in family.models]
    assert [model.family for _, model in models] == [name for name, _ in models]
    assert list(CATALOG.values())[1:] == [model for _, model in models] and next(iter(CATALOG)) == "demo"
    assert {model.family for model in CATALOG.values()} == set(FAMILIES)
    assert all(model.sampler in samplers.SAMPLERS for model in CATALOG.values())
