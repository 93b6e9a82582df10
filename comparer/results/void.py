"""Void images, those whose numbers are NaN or infinite: the words for them, and what helps."""

from comparer.results.comparison import Comparison
from comparer.results.records import Shot
from comparer.stats.verdict import NOT_COMPARABLE

PLACES = {"latents": "the latents", "decoded": "what the VAE decoded"}


def caption(shot: Shot) -> str:
    """Say that an image is not numbers: "not numbers: NaN or infinity in the latents"; "" if it is of numbers."""
    return f"not numbers: NaN or infinity in {PLACES[shot.not_finite]}" if shot.not_finite else ""


def head(comparison: Comparison, arm: int) -> str:
    """Say that an arm has void images: "Not comparable: 1 of 4 pictures are not numbers"; "" if it has none."""
    void, made = _counts(comparison, arm)
    return f"{NOT_COMPARABLE}: {void} of {made} pictures are not numbers" if void else ""


def reason(comparison: Comparison, arm: int) -> str:
    """Say why an arm is not comparable, with what helps: its own void images, or else the baseline's; "" if it is."""
    if said := head(comparison, arm):
        return f"{said}. {remedy(comparison, arm)}"
    void, made = _counts(comparison, 0)
    if not void or not _counts(comparison, arm)[1]:
        return ""
    said = f"{NOT_COMPARABLE}: {void} of {made} pictures of {comparison.request.arms[0].name} are not numbers"
    return f"{said}. {remedy(comparison, 0)}"


def remedy(comparison: Comparison, arm: int) -> str:
    """Say where an arm's NaN or infinity is, and what probably helps."""
    shots = [shot for shot in comparison.shots if shot.arm == arm and shot.not_finite]
    places = [place for place in PLACES if any(shot.not_finite == place for shot in shots)]
    where = " and in ".join(PLACES[place] for place in places)
    return f"NaN or infinity in {where}: {_advice(comparison, arm, places)}."


def _advice(comparison: Comparison, arm: int, places: list[str]) -> str:
    card = comparison.card(arm)
    dtype = card.get("dtype") or comparison.environment.get("dtype", "")
    health = {name: each.get("health", {}).get("not_finite") for name, each in card.get("components", {}).items()}
    if broken := [name for name, found in health.items() if found]:
        return f"the weights of its {' and its '.join(broken)} contain such values, so use another file"
    another_vae = ", or another VAE (vae=NAME)" if places == ["decoded"] else ""
    if dtype == "float16":
        whose = "its VAE overflows in" if another_vae else "probably an overflow of"
        return f"{whose} float16, so try dtype=bfloat16 or dtype=float32{another_vae}"
    asked = comparison.request.arms[arm]
    if asked.accelerators and asked.weights is None and not head(comparison, 0):
        return "the baseline's pictures are numbers, so try other parameters of the accelerator"
    if dtype == "bfloat16":
        return f"bfloat16 has the range of float32, so try dtype=float32{another_vae}, and check the checkpoint"
    return f"no dtype has a wider range than {dtype or 'float32'}, so check the checkpoint{another_vae}"


def _counts(comparison: Comparison, arm: int) -> tuple[int, int]:
    """Return the numbers of an arm's void images and of all its images."""
    shots = [shot for shot in comparison.shots if shot.arm == arm]
    return sum(bool(shot.not_finite) for shot in shots), len(shots)
