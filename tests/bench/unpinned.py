"""The portal's gunicorn configuration, but each worker may run on every CPU."""

from portal import gunicorn

globals().update({name: value for name, value in vars(gunicorn).items() if not name.startswith("_")})
del post_fork  # noqa: F821 - one of those.
