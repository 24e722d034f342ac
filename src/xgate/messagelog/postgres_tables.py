"""The tables of the PostgreSQL log, by version.

The rule: numbered steps, all that are missing in one transaction, under a lock that lets one
server at a time do it: the others wait and find it done. All lies in one schema, so the database
may have other uses. As in SQLite, but a signature's name is made of its content, so that several
servers store it once without asking each other.
"""

from __future__ import annotations

__all__ = ["MIGRATION_LOCK", "SCHEMA", "STEPS", "TASK_LOCKS"]

SCHEMA = "xgate_messagelog"
_CLASS = 0x78676C31  # "xgl1": the first half of our advisory locks
MIGRATION_LOCK = (_CLASS, 0)
"""The advisory lock under which the tables are changed."""
TASK_LOCKS = {"archiver": (_CLASS, 1), "cleaner": (_CLASS, 2), "timestamper": (_CLASS, 3)}
"""The advisory locks of ``LogStore.alone``."""

STEPS: tuple[str, ...] = (
    """
CREATE TABLE evidence(
    id bytea PRIMARY KEY, sha512 bytea NOT NULL, signature bytea NOT NULL, chain_result bytea
);
CREATE TABLE stamp(
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, token bytea NOT NULL, chain_result bytea
);
CREATE TABLE record(
    id bigint PRIMARY KEY, time_us bigint NOT NULL, owner text COLLATE "C" NOT NULL, client text,
    service text NOT NULL, query_id text NOT NULL, request_id text NOT NULL,
    response boolean NOT NULL, attachments integer NOT NULL, complete boolean NOT NULL,
    key_id text NOT NULL, key bytea UNIQUE, evidence_id bytea NOT NULL REFERENCES evidence,
    chain bytea, stamp_id bigint REFERENCES stamp, stamp_chain bytea,
    archived boolean NOT NULL DEFAULT false
);
CREATE SEQUENCE record_number OWNED BY record.id;
CREATE TABLE part(
    record_id bigint NOT NULL REFERENCES record ON DELETE CASCADE, number integer NOT NULL,
    octets bytea NOT NULL, PRIMARY KEY(record_id, number)
);
CREATE TABLE link(group_name text, digest text NOT NULL, file_name text NOT NULL);
CREATE INDEX record_evidence ON record(evidence_id);
CREATE INDEX record_query ON record(query_id, owner);
CREATE INDEX record_time ON record(time_us);
CREATE INDEX record_stamp ON record(stamp_id) WHERE stamp_id IS NOT NULL;
CREATE INDEX record_unstamped ON record(id) WHERE stamp_id IS NULL;
CREATE INDEX record_archivable ON record(replace(owner, '/', ' '), id)
    WHERE NOT archived AND stamp_id IS NOT NULL;
""",
)
"""What makes each version of the tables from the one before it."""
