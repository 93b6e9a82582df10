"""Peak memory of one call, where the device counts it."""


def reset_peak(device: str) -> None:
    """Forget the peak so far; nothing to forget without CUDA."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak(device: str) -> int | None:
    """Return the peak of allocated bytes since ``reset_peak``, weights included; None without CUDA."""
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.max_memory_allocated(device)
