"""Compare an accelerator with the baseline, from the same noise, and print what it gains and what it costs."""

from comparer import Config, build_request, compare

config = Config()  # the device is chosen; runs go to the folder "runs"
request = build_request(
    config, "a large red star in the top left on a blue background", accelerators=["DeepCache(interval=3)"],
    steps=10, seeds="1-3",
)  # fmt: skip

*_, finished = compare(request, config)  # events: Waiting, Progress, Updated, and Finished at the end
seen = finished.comparison
figures = seen.figures(1)
print(f"{request.arms[1].name}: {figures.speed_up:.2f}x as fast, SSIM {seen.similarity(1).ssim:.3f}")
print(seen.verdict(1).sentence)
print(f"The grid is in {finished.grid}")
