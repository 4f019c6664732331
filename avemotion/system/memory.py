"""Recognises errors of a machine without enough memory, on the CPU and on the GPU."""

import errno

# torch raises a plain RuntimeError where the CPU's allocator fails, and for some libraries of the GPU.
TEXTS = ("can't allocate memory", "not enough memory", "cuda out of memory", "cublas_status_alloc_failed", "bad alloc")


def out_of_memory(error: BaseException) -> bool:
    """Whether this error, or one that it follows from, is a lack of memory."""
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or at.__context__
    return any(_is_lack(each) for each in chain)


def on_gpu(error: BaseException) -> bool:
    """Whether the GPU's memory ran out, for an error of out_of_memory."""
    return "cuda" in str(error).lower() or "cublas" in str(error).lower()


def _is_lack(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    # By name, so that commands that need no torch do not import it.
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in TEXTS)
