"""Servers of the soak that may be broken: PostgreSQL, Redis, and proxies in front of three servers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.support.cluster import Cluster
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.tcp_proxy import Proxy


@dataclass(frozen=True)
class Infrastructure:
    """`database`, `mail` and `google` are proxies that the nodes use instead of the servers."""

    postgres: PostgresServer
    redis: RedisServer
    database: Proxy
    mail: Proxy
    google: Proxy

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings of the nodes."""
        return {
            "DATABASE_URL": self.postgres.url(self.database.port),
            "REDIS_URL": self.redis.url,
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "RECAPTCHA_URL": f"http://127.0.0.1:{self.google.port}/recaptcha",
        }

    def redirect_to(self, site: Cluster) -> None:
        """Point mail and Google at the simulator of the first brand."""
        carrier = site.stack.carrier
        self.mail.redirect_to(int(carrier.smtp.rpartition(":")[2]))
        self.google.redirect_to(int(carrier.host.rpartition(":")[2]))


@contextmanager
def infrastructure() -> Iterator[Infrastructure]:
    """Start everything, and remove it at the end."""
    with ExitStack() as stack:
        postgres = PostgresServer()
        stack.callback(postgres.close)
        redis = RedisServer()
        stack.callback(redis.stop)
        proxies = [Proxy(postgres.port), Proxy(9), Proxy(9)]
        for proxy in proxies:
            stack.callback(proxy.close)
        yield Infrastructure(postgres, redis, *proxies)
