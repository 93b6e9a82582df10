"""Follow a run, and stop it after some images: what is finished stays, and can be resumed."""

import threading

from comparer import Config, build_request, compare
from comparer.engine.events import Finished, Progress, Updated

config, stop = Config(), threading.Event()
request = build_request(config, "a large yellow square", accelerators=["ToMe(ratio=0.5)"], steps=10, seeds="1-8")

for event in compare(request, config, stop):
    match event:
        case Progress():
            print(f"{event.text}: {event.done} of {event.total} steps", end="\r")
        case Updated() if len(event.comparison.shots) >= 4:
            stop.set()
        case Finished():
            print(f"\n{event.comparison.state}: {len(event.comparison.shots)} images in {event.folder}")
