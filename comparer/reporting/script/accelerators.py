"""The recipe of a stack of accelerators, for scripts."""

from collections.abc import Sequence
from dataclasses import replace

from comparer.accelerators.base import Accelerator
from comparer.accelerators.recipe import Recipe, RecipeContext


def recipe_of(stack: Sequence[Accelerator], context: RecipeContext) -> Recipe:
    """Return the recipe that applies a stack.

    Raises:
        ComparerError: there is no documented way.
    """
    made, context = Recipe(), replace(context, stack={type(part).__name__: part for part in stack})
    for part in sorted(stack, key=lambda part: part.order):
        part.write_recipe(made, context)
    made.undo.reverse()
    return made
