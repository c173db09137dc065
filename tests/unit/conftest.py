"""Fixtures of unit tests."""

import pytest
from bridge_stage import stage
from conftest import World
from flask import Flask
from visits import share_link

__all__ = ["stage"]


@pytest.fixture
def shared(web: Flask, world: World) -> str:
    """The path of a share link to alpha's private album, without a password."""
    return share_link(web, world.alpha, world.alpha_private)
