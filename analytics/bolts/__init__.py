"""The bolts, one file a family, and the explicit list of them. To add one, add it to ``BOLTS``."""

from analytics.bolts.accts import createroleday, createrolehour, loginday, loginhour, signupday, signuphour
from analytics.bolts.economy import coinday, coinhour, cointype
from analytics.bolts.online import onlinehour
from analytics.bolts.payments import payorderdetail, paysummary, revenueday
from analytics.bolts.progress import gamecopy, mainline
from analytics.bolts.server import server
from analytics.bolts.sessions import sessionhour
from analytics.bolts.shop import shop
from analytics.bolts.users import usercenter, userlevel, userpay
from analytics.core.bolt import Bolt

BOLTS: dict[str, Bolt] = {
    bolt.name: bolt
    for bolt in (
        loginhour,
        loginday,
        signuphour,
        signupday,
        createrolehour,
        createroleday,
        paysummary,
        payorderdetail,
        revenueday,
        server,
        coinhour,
        coinday,
        cointype,
        gamecopy,
        mainline,
        shop,
        userpay,
        usercenter,
        userlevel,
        onlinehour,
        sessionhour,
    )
}
