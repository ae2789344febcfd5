"""HTML pages: overview, inbox, the carrier's landing page, the frame of the captcha."""

import re
from html import escape
from pathlib import Path

from portal.simulator.wire import Answer
from portal.simulator.world import Customer, Mail

ASSETS = Path(__file__).parent / "assets"
TYPES = {"api.js": "text/javascript", "anchor.js": "text/javascript", "simulator.css": "text/css"}
LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)]")
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
FRAME_POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'"
ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}

OVERVIEW = (
    ("GET", "/_control/calls", "what arrived at the carrier"),
    ("GET", "/_control/customers", "the carrier's customers"),
    ("GET", "/_control/partners", "the carrier's partners"),
    ("GET", "/_control/mails", "all mails"),
    ("GET", "/_control/siteverify", "captcha verifications"),
    ("GET", "/_control/elsewhere", "who followed a redirect"),
    ("GET", "/_control/authenticator", "what the authenticator apps show"),
    ("POST", "/_control/reset", "start again"),
    ("POST", "/_control/seed", "add or change partners and customers"),
    ("POST", "/_control/dialect", "speak other names"),
    ("POST", "/_control/fault", "fail on demand"),
    ("POST", "/_control/faults/clear", "fail no more"),
    ("POST", "/_control/token", "a captcha token without a browser"),
    ("POST", "/_control/password", "whether a password is the customer's"),
    ("POST", "/_control/clock", "let time pass"),
    ("POST", "/_control/authenticator", "set up an authenticator app"),
)


def asset(name: str) -> Answer:
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return Answer(200, (ASSETS / name).read_bytes(), f"{TYPES[name]}; charset=utf-8", headers)


def page(title: str, content: str, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n"
        '<link rel="stylesheet" href="/assets/simulator.css">\n</head>\n<body>\n'
        f"<main>\n<h1>{escape(title)}</h1>\n{content}\n</main>\n</body>\n</html>\n"
    )
    fixed = {**ALWAYS, "Content-Security-Policy": POLICY}
    return Answer(status, text.encode(), "text/html; charset=utf-8", {**fixed, **(headers or {})})


def home() -> Answer:
    rows = "".join(
        f"<tr><td>{verb}</td><td>{path_cell(verb, path)}</td><td>{what}</td></tr>"
        for verb, path, what in OVERVIEW
    )
    return page(
        "Stand-in carrier",
        "<p>This process plays the carrier, Google’s reCAPTCHA and a mail server, for demos and tests on "
        "this machine. Nothing here is real, and nothing survives its end.</p>\n"
        '<p><a href="/inbox/">Read the mails in the inbox</a></p>\n'
        '<p><a href="/authenticator/">See the codes of the authenticator app</a></p>\n<h2>Control</h2>\n'
        f"{table(('Verb', 'Path', 'What'), rows)}",
    )


def table(columns: tuple[str, ...], rows: str) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' for name in columns)
    return f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody>\n</table>"


def path_cell(verb: str, path: str) -> str:
    return f'<a href="{path}">{path}</a>' if verb == "GET" else f"<code>{path}</code>"


def inbox(mails: list[Mail], to: str) -> Answer:
    form = (
        '<form method="get" action="/inbox/"><label for="to">Only mails to</label> '
        f'<input id="to" name="to" type="email" value="{escape(to)}"> <button>Show</button></form>'
    )
    if not mails:
        return page("Inbox", f"{form}\n<p>No mails{escape(f' to {to}') if to else ''} yet.</p>")
    rows = "\n".join(inbox_row(mail) for mail in reversed(mails))
    return page("Inbox", f"{form}\n{table(('Subject', 'To', 'From', 'Time'), rows)}")


def inbox_row(mail: Mail) -> str:
    cells = (", ".join(mail.to), mail.sender, mail.at.strftime("%Y-%m-%d %H:%M:%S"))
    subject = f'<a href="/inbox/{mail.id}">{escape(mail.subject or "(no subject)")}</a>'
    return f"<tr><td>{subject}</td>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def mail_page(mail: Mail) -> Answer:
    facts = (
        ("To", ", ".join(mail.to)),
        ("From", mail.sender),
        ("Time", mail.at.strftime("%Y-%m-%d %H:%M:%S")),
    )
    details = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return page(
        mail.subject or "(no subject)",
        f'<p><a href="/inbox/">Back to the inbox</a></p>\n<dl>{details}</dl>\n'
        f'<div class="letter">{with_links(mail.text)}</div>',
    )


def with_links(text: str) -> str:
    """Return the text escaped, with its URLs as links."""
    pieces, end = [], 0
    for match in LINK.finditer(text):
        url = escape(match[0])
        pieces += [escape(text[end : match.start()]), f'<a href="{url}" rel="noreferrer">{url}</a>']
        end = match.end()
    return "".join([*pieces, escape(text[end:])])


def landing(customer: Customer) -> Answer:
    who = f"{customer.full_name or customer.email}, account {customer.account_number}"
    return page(
        "Carrier portal",
        f"<p>Signed in at the carrier as {escape(who)}</p>\n"
        f"<p>In reality the carrier’s own portal of {escape(customer.partner.name)} begins here.</p>",
    )


def new_password(ticket: str, email: str, problem: str = "") -> Answer:
    message = f'<p id="problem" class="problem">{escape(problem)}</p>' if problem else ""
    described = ' aria-describedby="problem" aria-invalid="true"' if problem else ""
    return page(
        "Set a new password",
        f'<form method="post" action="/carrier/reset">{message}\n'
        f'<input type="hidden" name="ticket" value="{escape(ticket)}">\n'
        # For password managers, which need the user name.
        f'<input type="text" name="username" autocomplete="username" value="{escape(email)}" hidden>\n'
        '<p><label for="password">New password (at least 8 characters)</label></p>\n'
        '<p><input id="password" name="password" type="password" autocomplete="new-password" required'
        f"{described}></p>\n"
        "<p><button>Set password</button></p></form>",
        400 if problem else 200,
    )


def plain(title: str, text: str, status: int) -> Answer:
    return page(title, f"<p>{escape(text)}</p>", status)


def captcha_frame(error: str = "", dark: bool = False) -> Answer:
    box = (
        f'<p class="problem">ERROR for site owner: {error}</p>'
        if error
        else '<p><input type="checkbox" id="robot" disabled> <label for="robot">I\'m not a robot</label></p>'
        '<p id="said" role="status"></p>'
    )
    text = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>reCAPTCHA</title>\n'
        '<link rel="stylesheet" href="/assets/simulator.css">\n'
        '<script src="/recaptcha/api2/anchor.js" defer></script>\n'
        f'</head>\n<body class="frame{" dark" if dark else ""}">\n<main>{box}</main>\n</body>\n</html>\n'
    )
    headers = {
        **ALWAYS,
        "Content-Security-Policy": FRAME_POLICY,
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return Answer(200, text.encode(), "text/html; charset=utf-8", headers)
