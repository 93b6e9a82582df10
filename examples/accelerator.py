"""Compare an accelerator with the baseline, from the same noise, and print what it gains and what it costs."""

from comparer import Analysis, Config, build_request, compare

config = Config()  # the device is chosen; runs go to the folder "runs"
request = build_request(
    config, "a large red star in the top left on a blue background", accelerators=["DeepCache(interval=3)"],
    steps=10, seeds="1-3",
)  # fmt: skip

*_, finished = compare(request, config)  # events: Waiting, Progress, Updated, and Finished at the end
deepcache = Analysis(finished.comparison).arms[1]
print(f"{deepcache.arm.name}: {deepcache.figures.speed_up:.2f}x as fast, SSIM {deepcache.similarity.ssim:.3f}")
print(deepcache.verdict.sentence)
print(f"The grid is in {finished.grid}")
