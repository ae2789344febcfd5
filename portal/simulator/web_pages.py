"""The carrier's own web pages: the target of a login link, and the form for a new password."""

from http.cookies import SimpleCookie

from portal.simulator import pages
from portal.simulator.wire import Answer, Request
from portal.simulator.world import MIN_PASSWORD_LENGTH, World

LOGIN_LIFETIME = 60
RESET_LIFETIME = 3600
SESSION_LIFETIME = 3600
COOKIE = "carrier_session"


def login(world: World, request: Request) -> Answer:
    with world.lock:
        ticket = world.ticket("login", request.parameters().get("ticket", ""), LOGIN_LIFETIME)
        if ticket is None:
            return invalid_link()
        ticket.used = True
        session = world.issue_ticket("session", ticket.customer)
    cookie = f"{COOKIE}={session}; Path=/carrier; HttpOnly; SameSite=Lax"
    return Answer(302, headers={**pages.ALWAYS, "Location": "/carrier/home", "Set-Cookie": cookie})


def home(world: World, request: Request) -> Answer:
    cookie = SimpleCookie(request.headers.get("Cookie", "")).get(COOKIE)
    ticket = world.ticket("session", cookie.value, SESSION_LIFETIME) if cookie else None
    if ticket is None:
        return pages.plain("Not signed in", "Sign in at the carrier first.", 403)
    return pages.landing(ticket.customer)


def reset_form(world: World, request: Request) -> Answer:
    secret = request.parameters().get("ticket", "")
    ticket = world.ticket("reset", secret, RESET_LIFETIME)
    return pages.new_password(secret, ticket.customer.email) if ticket else invalid_link()


def reset(world: World, request: Request) -> Answer:
    form = request.form()
    with world.lock:
        ticket = world.ticket("reset", form.get("ticket", ""), RESET_LIFETIME)
        if ticket is None:
            return invalid_link()
        if len(form.get("password", "")) < MIN_PASSWORD_LENGTH:
            email = ticket.customer.email
            return pages.new_password(
                form["ticket"], email, f"At least {MIN_PASSWORD_LENGTH} characters, please."
            )
        ticket.used = True
        ticket.customer.password = form["password"]
    return pages.plain("Password set", "Your new password is set.", 200)


def invalid_link() -> Answer:
    return pages.plain("Link not valid", "This link has been used, or it is too old.", 410)
