"""Name the browser and system of a User-Agent header."""

# (tokens of the User-Agent header, name). The first match counts: most browsers also send the tokens of those
# they are derived from.
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
    """Return (browser, system) such as ("Firefox", "Windows"), each empty if unknown.

    The names are our own: the header itself is never stored, because a client can send any text.
    """
    browser = _first_match(_BROWSERS, user_agent)
    if browser == "Safari" and "Safari/" not in user_agent:
        browser = ""
    return browser, _first_match(_SYSTEMS, user_agent)


def _first_match(names: tuple[tuple[tuple[str, ...], str], ...], text: str) -> str:
    return next((name for tokens, name in names if any(token in text for token in tokens)), "")
