"""How the pages are looked at in a browser: at which widths, in which themes and languages."""

from forms import LONG, THOROUGH

from analytics.web.translation import LANGUAGES

SHORT_FORM = {1280: "en", 400: "zh"}
LANGUAGES_AT = {width: tuple(LANGUAGES) if LONG else (language,) for width, language in SHORT_FORM.items()}
"""By the width of a window, in which languages it is tested as a whole."""

WIDTHS = (360, 400, 768, 1024, 1280, 1920) if THOROUGH else (360, 1024)
"""The widths at which nothing may overlap."""

THEMES = {1280: "light", 400: "dark"}
