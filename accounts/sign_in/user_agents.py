"""Which browser a customer came with, in words that the customer would use for it."""

# (what the User-Agent header holds, what it is called); the first that fits counts, because most browsers
# also carry the names of those they descend from.
_BROWSERS = (
    (("Edg/", "EdgA/", "EdgiOS/"), "Edge"),
    (("OPR/", "OPT/"), "Opera"),
    (("SamsungBrowser/",), "Samsung Internet"),
    (("Firefox/", "FxiOS/"), "Firefox"),
    (("Chrome/", "CriOS/"), "Chrome"),
    (("Version/",), "Safari"),
)
_SYSTEMS = (
    (("iPhone",), "iPhone"),
    (("iPad",), "iPad"),
    (("Android",), "Android"),
    (("Windows",), "Windows"),
    (("Macintosh",), "Mac"),
    (("CrOS",), "ChromeOS"),
    (("Linux", "X11"), "Linux"),
)


def describe_user_agent(user_agent: str) -> tuple[str, str]:
    """(browser, system), like ("Firefox", "Windows"): proper names of ours; empty where it is none we know.

    Nothing of the header itself is kept, because anybody can write anything into it.
    """
    browser = _first(_BROWSERS, user_agent)
    if browser == "Safari" and "Safari/" not in user_agent:
        browser = ""
    return browser, _first(_SYSTEMS, user_agent)


def _first(names: tuple[tuple[tuple[str, ...], str], ...], text: str) -> str:
    return next((name for marks, name in names if any(mark in text for mark in marks)), "")
