"""Read finished runs from their folders and print their figures; no model is loaded."""

from comparer import Analysis, ComparerError, Config
from comparer.runs import index, store

config = Config()
for entry in index.entries(config.runs)[:5]:
    try:
        seen = store.load(config.runs / entry.name)
    except ComparerError as error:  # a damaged run does not hide the others
        print(f"{entry.name}: {error}")
        continue
    print(entry.name)
    for each in Analysis(seen).arms:
        figures = each.figures
        print(f"  {each.arm.name}: {figures.seconds:.3f} s per image, {figures.speed_up or 1:.2f}x")
