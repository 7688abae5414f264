"""How alike texts are: words, shingles, sketches, bands and exact sets, compiled, over Arrow's own buffers.

    text      what of a trace is compared: what the model wrote, what it was asked
    words     tokens and shingles: the definition of what "the same words" means
    sketch    128 values of 16 bits that estimate how alike two texts are
    bands     which rows may be alike, among millions, and the groups that they make
    eight     eight bytes of a text at once
    laid      texts one behind the other, out of Arrow's buffers
    slices    rows of a chunk on several threads
    near      the near-duplicates of a frame, in one call
    sets      how alike two texts are, exactly

Nothing here knows files or columns of the record but `text`. Kernels hold no Python objects and release the GIL; they
are compiled when they are first used and cached where numba caches (`NUMBA_CACHE_DIR`).
"""
