"""What the soak stands on and may break: PostgreSQL, Redis, and proxies before three servers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.support.cluster import Nodes
from tests.support.postgres_server import OwnPostgres
from tests.support.redis_server import OwnRedis
from tests.support.tcp_proxy import Proxy


@dataclass(frozen=True)
class Ground:
    """`database`, `mail` and `google` are the proxies that the nodes know instead of the servers."""

    postgres: OwnPostgres
    redis: OwnRedis
    database: Proxy
    mail: Proxy
    google: Proxy

    @property
    def settings(self) -> dict[str, str]:
        """For the nodes' environment."""
        return {
            "DATABASE_URL": self.postgres.url(self.database.port),
            "REDIS_URL": self.redis.url,
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "RECAPTCHA_URL": f"http://127.0.0.1:{self.google.port}/recaptcha",
        }

    def lead_to(self, site: Nodes) -> None:
        """The stand-in of the first brand gets the mails and plays Google."""
        carrier = site.stack.carrier
        self.mail.lead_to(int(carrier.smtp.rpartition(":")[2]))
        self.google.lead_to(int(carrier.host.rpartition(":")[2]))


@contextmanager
def ground() -> Iterator[Ground]:
    """Start it all; in the end nothing of it is left."""
    with ExitStack() as stack:
        postgres = OwnPostgres()
        stack.callback(postgres.close)
        redis = OwnRedis()
        stack.callback(redis.stop)
        proxies = [Proxy(postgres.port), Proxy(9), Proxy(9)]
        for proxy in proxies:
            stack.callback(proxy.close)
        yield Ground(postgres, redis, *proxies)
