"""The fonts that pictures are written with: the first one of this host that has every character of a text."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

INSTALLED = (
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
)
"""Where Debian, Fedora and Arch put fonts with Chinese characters; the last one has more alphabets, but no Chinese."""

NO_CHARACTER = "\U0010fffe"
"""Unicode gives it to nobody, so every font draws its sign for a missing character."""

Font = ImageFont.FreeTypeFont


class Fonts:
    """Fonts by size. Pillow's own comes first, so pictures look the same on every host where Latin letters are enough.

    Args:
        configured: a font file that comes before those of :data:`INSTALLED`; "": none.
    """

    def __init__(self, configured: str = "", installed: Sequence[str] = INSTALLED) -> None:
        self._files = ("", *([configured] if configured else []), *installed)

    def for_text(self, text: str, size: int) -> tuple[str, Font] | None:
        """Return a text, and the first font that has all of its characters.

        If no font has them all, return what is left of the text in the font that has most of them; None if nothing is.
        """
        best, most = "", None
        for file in self._files:
            font = _loaded(file, size)
            if font is None:
                continue
            kept = "".join(one for one in text if one == " " or _has(file, one))
            if most is None or len(kept) > len(best):
                best, most = kept, font
            if kept == text:
                break
        best = best if best == text else best.strip(" ,")
        return (best, most) if best and most is not None else None


@lru_cache(64)
def _loaded(file: str, size: int) -> Font | None:
    """Return a font; None if there is no such file, or none that can be read. "" is Pillow's own."""
    try:
        if file:
            return ImageFont.truetype(file, size) if Path(file).is_file() else None
    except OSError:
        return None
    own = ImageFont.load_default(size)
    return own if isinstance(own, Font) else None  # it is another one where Pillow was built without FreeType


@lru_cache(4096)
def _has(file: str, character: str) -> bool:
    font = _loaded(file, 24)
    if font is None:
        return False
    drawn, missing = font.getmask(character), font.getmask(NO_CHARACTER)
    return (drawn.size, bytes(drawn)) != (missing.size, bytes(missing))
