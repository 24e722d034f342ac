"""Tables as a reference's server configuration has them, for tests that fill them.

The rule: the columns that DM-SS lists, in both forms that are about: certificates as large objects
and identifiers with joined names (before DM-SS 1.14), certificates as octets and the new names.
"""

from __future__ import annotations

__all__ = ["SERVER", "old_tables", "rename_to_new"]


def old_tables(schema: str = "public") -> str:
    """What makes the tables, in the schema, as they were for most of version 7's life."""
    return f"CREATE SCHEMA IF NOT EXISTS {schema}; SET search_path = {schema}; {_OLD}"


def rename_to_new() -> str:
    """What makes new tables of old ones."""
    return _NEW


_OLD = """
CREATE TABLE identifier(
    id bigint PRIMARY KEY, discriminator text, type text, xroadinstance text, memberclass text,
    membercode text, subsystemcode text, groupcode text
);
CREATE TABLE serverconf(id bigint PRIMARY KEY, servercode text, owner bigint);
CREATE TABLE client(
    id bigint PRIMARY KEY, conf_id bigint, identifier bigint, clientstatus text,
    isauthentication text
);
CREATE TABLE servicedescription(
    id bigint PRIMARY KEY, client_id bigint, url text NOT NULL, disabled boolean NOT NULL,
    disablednotice text, refresheddate timestamp, type text NOT NULL
);
CREATE TABLE service(
    id bigint PRIMARY KEY, servicedescription_id bigint, servicecode text NOT NULL,
    serviceversion text, title text, url text, sslauthentication boolean, timeout integer
);
CREATE TABLE endpoint(
    id bigint PRIMARY KEY, client_id bigint, servicecode text NOT NULL, method text NOT NULL,
    path text NOT NULL, generated boolean NOT NULL
);
CREATE TABLE accessright(
    id bigint PRIMARY KEY, subjectid bigint NOT NULL, rightsgiven timestamp, client_id bigint,
    endpoint_id bigint
);
CREATE TABLE localgroup(
    id bigint PRIMARY KEY, groupcode text NOT NULL, description text, updated timestamp,
    client_id bigint
);
CREATE TABLE groupmember(
    id bigint PRIMARY KEY, groupmemberid bigint NOT NULL, added timestamp, localgroup_id bigint
);
CREATE TABLE certificate(id bigint PRIMARY KEY, data oid, client_id bigint);
CREATE TABLE tsp(id bigint PRIMARY KEY, name text, url text NOT NULL, conf_id bigint);
"""
_NEW = """
ALTER TABLE identifier RENAME COLUMN type TO object_type;
ALTER TABLE identifier RENAME COLUMN xroadinstance TO xroad_instance;
ALTER TABLE identifier RENAME COLUMN memberclass TO member_class;
ALTER TABLE identifier RENAME COLUMN membercode TO member_code;
ALTER TABLE identifier RENAME COLUMN subsystemcode TO subsystem_code;
ALTER TABLE identifier RENAME COLUMN groupcode TO group_code;
ALTER TABLE certificate ALTER COLUMN data TYPE bytea USING lo_get(data);
"""
SERVER = """
INSERT INTO identifier(id, type, xroadinstance, memberclass, membercode)
    VALUES(1, 'MEMBER', 'XG', 'GOV', '2');
INSERT INTO client VALUES(1, 1, 1, 'registered', 'NOSSL');
INSERT INTO serverconf VALUES(1, 'SS1', 1);
"""
