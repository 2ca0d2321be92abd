"""Timer bolts, one file a family: numbers that need more than one day, computed from what the bolts have stored.

To add one, add it to ``TIMERS``. ``serverstarttime`` is not among them, since it has one document per area: see
:mod:`analytics.timers.start`; nor are the sums over areas, which follow from the bolts: see :mod:`analytics.timers.rollup`.
"""

from analytics.timers import rollup, start
from analytics.timers.activity import activeday, activemonth, activeweek
from analytics.timers.cohorts import loginlong, loginmonth, loginweek, paylong, paymonth, payweek
from analytics.timers.firstpay import firstpay
from analytics.timers.funnel import funnel
from analytics.timers.kpi import kpi
from analytics.timers.lifecycle import lifecycle
from analytics.timers.ltv import ltv
from analytics.timers.online import onlineday
from analytics.timers.payers import payers
from analytics.timers.retention import loginretention, paytraceday
from analytics.timers.sessions import sessionday
from analytics.timers.timer import Timer

TIMERS: dict[str, Timer] = {
    timer.name: timer
    for timer in (
        activeday,
        activeweek,
        activemonth,
        lifecycle,
        onlineday,
        sessionday,
        loginretention,
        loginlong,
        loginweek,
        loginmonth,
        paytraceday,
        paylong,
        payweek,
        paymonth,
        kpi,
        payers,
        ltv,
        firstpay,
        funnel,
    )
}

NAMES = (*TIMERS, start.NAME, rollup.NAME)
"""What can be asked for by name."""
