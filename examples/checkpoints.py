"""Compare a checkpoint's EMA weights with its raw weights; a training output of your own works the same way."""

from comparer import Config, build_request, compare

config = Config()  # Config(checkpoints=(Path("my/checkpoints"),)) finds yours as "checkpoints/name"
request = build_request(
    config, "a small green ring on a white background", "demo", variants=["weights=raw"], steps=10, seeds="1,2"
)

*_, finished = compare(request, config)
seen = finished.comparison
for number, arm in enumerate(request.arms):
    unet, score = seen.card(number)["components"]["unet"], seen.figures(number).clip_score
    print(f"{arm.name}: {unet['half']} weights, fingerprint {unet['fingerprint']}, {score:.2f} CLIP")
print(seen.verdict(1).sentence)
