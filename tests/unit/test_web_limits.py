"""Attempts are counted in Redis, where every process of the fleet sees them."""

import pytest
from conftest import World
from redis import Redis
from visits import Browser, visitor

import wsgi
from infra.settings import Settings
from tenants.db import db
from webapp.limits import limiter


def sign_in(client: Browser) -> int:
    wrong = {"email": "alice@example.com", "password": "a guess that is wrong"}
    return client.post("/dashboard/sign-in", data=wrong).status_code


def test_attempts_are_counted_in_redis(
    settings: Settings, world: World, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One Limiter serves this process: it may still remember that an earlier test's app had no Redis.
    monkeypatch.setattr(limiter, "_storage_dead", False)
    app = wsgi.make_web(settings.model_copy(update={"redis_url": redis_url}))
    app.config["WTF_CSRF_ENABLED"] = False
    client = visitor(app)
    assert [sign_in(client) for _ in range(10)] == [401] * 10
    assert sign_in(client) == 429
    with Redis.from_url(redis_url) as redis:
        mine = [key for key in redis.keys("LIMITS*") if world.alpha.encode() in key]
        assert mine
        redis.delete(*mine)
    assert sign_in(client) == 401
    with app.app_context():
        db.engine.dispose()
