"""Compare a checkpoint's EMA weights with its raw weights; a training output of your own works the same way."""

from comparer import Analysis, Config, build_request, compare

config = Config()  # Config(checkpoints=(Path("my/checkpoints"),)) finds yours as "checkpoints/name"
request = build_request(
    config, "a small green ring on a white background", "demo", variants=["weights=raw"], steps=10, seeds="1,2"
)

*_, finished = compare(request, config)
analysis = Analysis(finished.comparison)
for each in analysis.arms:
    unet, score = finished.comparison.card(each.number)["components"]["unet"], each.figures.clip_score
    print(f"{each.arm.name}: {unet['half']} weights, fingerprint {unet['fingerprint']}, {score:.2f} CLIP")
print(analysis.arms[1].verdict.sentence)
