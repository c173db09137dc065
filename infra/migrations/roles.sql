-- Two roles and a database, made once by an administrator (on RDS: the master user), before the first migration.
--   psql "$ADMIN_URL" -v owner_password=… -v serving_password=… -f infra/migrations/roles.sql
-- Another database name: -v database=… What the serving role may do in it, migrations grant (grants.py).
\set ON_ERROR_STOP on
\if :{?database}
\else
\set database vitrine
\endif

-- Owns the tables and migrates them. Does not serve.
CREATE ROLE vitrine_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'owner_password';

-- What every fleet serves as: owns nothing, and row-level security holds for it.
CREATE ROLE vitrine_serving LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    PASSWORD :'serving_password';

-- A request never needs minutes; one that hangs must not hold its locks.
ALTER ROLE vitrine_serving SET statement_timeout = '60s';
ALTER ROLE vitrine_serving SET lock_timeout = '30s';
ALTER ROLE vitrine_serving SET idle_in_transaction_session_timeout = '120s';

-- Who gives a database away must be a member of the role that gets it, unless a superuser does it.
GRANT vitrine_owner TO CURRENT_USER;
CREATE DATABASE :"database" OWNER vitrine_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO vitrine_serving;

\connect :"database"
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CREATE, USAGE ON SCHEMA public TO vitrine_owner;
GRANT USAGE ON SCHEMA public TO vitrine_serving;
