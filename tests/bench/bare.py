"""The least that a tenant's page needs: a Flask route that asks PostgreSQL for one row by its primary key.

It asks as cheaply as this project's kept pages do: no transaction around the statement, no question before it.
"""

import os

from flask import Flask
from sqlalchemy import Column, MetaData, String, Table, bindparam, select

from infra import sql

tenants = Table("tenants", MetaData(), Column("id", String(26), primary_key=True), Column("name", String(120)))
one = select(tenants.c.name).where(tenants.c.id == bindparam("id"))
url = os.environ["VITRINE_DATABASE_URL"]
engine = sql.connect(url, **{**sql.engine_options(url), "pool_pre_ping": False, "isolation_level": "AUTOCOMMIT"})
app = Flask(__name__)


@app.get("/tenants/<tenant_id>")
def tenant(tenant_id: str) -> str:
    with engine.connect() as connection:
        return str(connection.execute(one, {"id": tenant_id}).scalar_one())
