"""Attempts are counted in Redis, where every process of the fleet sees them."""

import pytest
from conftest import World
from redis import Redis
from visits import give, share_link, visitor

import wsgi
from infra.settings import Settings
from tenants.db import db
from webapp.limits import limiter


def test_attempts_are_counted_in_redis(
    settings: Settings, world: World, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One Limiter serves this process: it may still remember that an earlier test's app had no Redis.
    monkeypatch.setattr(limiter, "_storage_dead", False)
    app = wsgi.make_web(settings.model_copy(update={"redis_url": redis_url}))
    path = share_link(app, world.alpha, world.alpha_private, password="a long password")
    client = visitor(app)
    assert [give(client, path, "guess") for _ in range(10)] == [422] * 10
    assert give(client, path, "a long password") == 429
    with Redis.from_url(redis_url) as redis:
        mine = [key for key in redis.keys("LIMITS*") if path.removeprefix("/s/").encode() in key]
        assert mine
        redis.delete(*mine)
    assert give(client, path, "a long password") == 303
    with app.app_context():
        db.engine.dispose()
