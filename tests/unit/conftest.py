"""Fixtures of unit tests."""

import pytest
from bridge_stage import stage
from conftest import World
from dashboard_client import alice
from flask import Flask
from stripe_stage import fake, stripe_url
from visits import share_link

__all__ = ["alice", "fake", "stage", "stripe_url"]


@pytest.fixture
def shared(web: Flask, world: World) -> str:
    """The path of a share link to alpha's private album, without a password."""
    return share_link(web, world.alpha, world.alpha_private)
