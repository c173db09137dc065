"""The blueprint that the dashboard's views hang on."""

from flask import Blueprint

bp = Blueprint("dashboard", __name__, url_prefix="/dashboard")
