"""How the pages are looked at in a browser: at which widths, in which themes and languages."""

from forms import LONG

from analytics.web.translation import LANGUAGES

SHORT_FORM = {1280: "en", 400: "zh"}
LANGUAGES_AT = {width: tuple(LANGUAGES) if LONG else (language,) for width, language in SHORT_FORM.items()}
"""By the width of a window, in which languages it is tested as a whole."""

THEMES = {1280: "light", 400: "dark"}
