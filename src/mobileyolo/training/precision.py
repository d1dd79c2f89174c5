"""Does a processor have instructions for the precision that params.yaml asks for?"""

from __future__ import annotations

from mobileyolo.core import environment

_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # as PyTorch names the instructions of x86, x86 and ARM


def precision_warning(precision: str) -> str:
    """What to say of a precision that only makes a training on this machine slower; "" where it does not.

    Args:
        precision: a value of train.precision.
    """
    if precision != "bf16":
        return ""
    import torch  # takes seconds, which who trains in float32 need not wait for

    device = environment.device()
    if device not in ("", "cpu") or (device == "" and torch.cuda.is_available()):
        return ""
    told = getattr(torch.cpu, "get_capabilities", None)  # releases before it do not tell
    if told is None or any(told().get(name, False) for name in _BFLOAT16):
        return ""
    return (
        f"train.precision: 'bf16': {environment.processor()} has no bfloat16 instructions, so PyTorch imitates them "
        "and trains many times slower; choose fp32"
    )
