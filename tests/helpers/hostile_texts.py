"""Prompts that break naive writers and readers of image texts."""

HOSTILE = [
    "commas, colons: all, \"quotes\" and 'more'",
    "Steps: 20, Sampler: x, CFG scale: 3, Seed: 9, Size: 1x1",
    "Negative prompt: not one",
    "a red Negative prompt: ring",
    "👩🏽‍🚀 on the moon 🐱, 赤い丸",
    "\u200f\u202eright to left\u202c \u0627\u0644\u0639",
    "=cmd|' /C calc'!A0 <script>alert(1)</script>",
    'Hashes: {"model": "x"}, ends with a comma,',
]
