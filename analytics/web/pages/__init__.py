"""All pages of the dashboard, one file each, in the order of the menu. A new page is a file here and a line below."""

from analytics.web.page import DashboardPage
from analytics.web.pages import (
    access,
    annotations,
    areas,
    collections,
    economy,
    funnels,
    games,
    live,
    online,
    overview,
    payers,
    payment,
    progress,
    retention,
    system,
    views,
)

PAGES: tuple[DashboardPage, ...] = (
    overview.PAGE,
    retention.PAGE,
    online.PAGE,
    funnels.PAGE,
    payment.PAGE,
    payers.PAGE,
    economy.PAGE,
    progress.PAGE,
    areas.PAGE,
    games.PAGE,
    annotations.PAGE,
    views.PAGE,
    live.PAGE,
    system.PAGE,
    access.PAGE,
    collections.PAGE,
)
