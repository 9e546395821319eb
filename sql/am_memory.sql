-- longbow_stat_memory: memory of C++ code by kind of work and size class.
SET client_min_messages = warning;
CREATE SCHEMA am_memory;
SET search_path = am_memory, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

SELECT kind, string_agg(size_class, ' ' ORDER BY size_class COLLATE "C") AS classes FROM longbow_stat_memory GROUP BY kind ORDER BY kind;
SELECT count(*) FROM longbow_stat_memory WHERE live_bytes > bytes OR peak_bytes > bytes OR resets > allocations;
-- Each size lies within its class.
SELECT size_class, bool_and(CASE size_class WHEN 'tiny' THEN bytes < allocations * 64
                                            WHEN 'small' THEN bytes BETWEEN allocations * 64 AND allocations * 255
                                            WHEN 'medium' THEN bytes BETWEEN allocations * 256 AND allocations * 1023
                                            WHEN 'large' THEN bytes BETWEEN allocations * 1024 AND allocations * 65536
                                            ELSE bytes >= allocations * 65537 END OR allocations = 0) AS within
FROM longbow_stat_memory GROUP BY size_class ORDER BY size_class COLLATE "C";

CREATE TEMP TABLE before AS SELECT * FROM longbow_stat_memory;
CREATE VIEW work AS
  SELECT a.kind, sum(a.allocations - b.allocations) AS allocations, sum(a.bytes - b.bytes) AS bytes, sum(a.live_bytes) AS live,
         sum(a.resets - b.resets) AS resets
  FROM longbow_stat_memory a JOIN before b USING (kind, size_class) GROUP BY a.kind;
CREATE PROCEDURE mark() LANGUAGE sql AS 'DELETE FROM before; INSERT INTO before SELECT * FROM longbow_stat_memory';

CREATE TABLE t (id int, v vector(8)) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(1, 2000) i;
CALL mark();
CREATE INDEX t_v ON t USING longbow (v);
SELECT kind, allocations > 0 AS allocated, bytes > 2000 * 8 AS bytes, live FROM work WHERE kind = 'build';
-- The same work takes the same memory, a second time too.
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 10) s;
CALL mark();
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 10) s;
SELECT allocations AS once, bytes AS once_bytes FROM work WHERE kind = 'scan' \gset
SELECT :once > 0 AS allocated, live, resets > 0 AS reset FROM work WHERE kind = 'scan';
CALL mark();
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 10) s;
SELECT allocations - :once AS more, bytes - :once_bytes AS more_bytes FROM work WHERE kind = 'scan';
-- A scan that is open holds memory; one that an error ends does not.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY v <-> '[1,2,3,4,5,6,7,8]';
MOVE 1 FROM c;
SELECT live > 0 AS held FROM work WHERE kind = 'scan';
CLOSE c;
SELECT live FROM work WHERE kind = 'scan';
COMMIT;
SELECT 1 / (id - id) FROM t ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 10;
SELECT live FROM work WHERE kind = 'scan';
-- Inserts, merges, VACUUM.
CALL mark();
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(2001, 2100) i;
SELECT allocations > 0 AS allocated, live FROM work WHERE kind = 'insert';
SELECT longbow_merge('t_v') >= 0 AS merged;
DELETE FROM t WHERE id % 10 = 0;
VACUUM t;
SELECT allocations > 0 AS allocated, live FROM work WHERE kind = 'vacuum';
SELECT longbow_check('t_v') AS rows;
SELECT allocations > 0 AS allocated, live FROM work WHERE kind = 'other';
-- Who may look is up to the owner, as with the other statistics of the server.
CREATE ROLE am_memory_nobody;
SET ROLE am_memory_nobody;
SELECT count(*) FROM longbow_stat_memory;
RESET ROLE;
GRANT SELECT ON longbow_stat_memory TO am_memory_nobody;
SET ROLE am_memory_nobody;
SELECT count(*) FROM longbow_stat_memory;
RESET ROLE;
REVOKE SELECT ON longbow_stat_memory FROM am_memory_nobody;
DROP ROLE am_memory_nobody;
DROP TABLE before CASCADE;
DROP SCHEMA am_memory CASCADE;
