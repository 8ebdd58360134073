# Debian's dynamic sqlite3: transactions, journals of both kinds, several processes at one file.
# packages: bash coreutils sqlite3 sed
export LC_ALL=C
cd /tmp
sqlite3 -version | cut -d' ' -f1
sqlite3 base.db <<'SQL'
.mode list
CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER CHECK(age >= 0));
CREATE TABLE orders(id INTEGER PRIMARY KEY, person REFERENCES people(id), total REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO people SELECT i, 'name' || (i * 7919 % 5003), i % 90 FROM n;
INSERT INTO orders SELECT NULL, (id * 31) % 5000 + 1, id * 1.25 FROM people, (SELECT 1 UNION SELECT 2);
CREATE INDEX by_name ON people(name); CREATE INDEX by_person ON orders(person);
SELECT count(*), sum(age), min(name), max(name) FROM people;
SELECT p.age, count(*), round(sum(o.total), 2) FROM people p JOIN orders o ON o.person = p.id GROUP BY p.age HAVING count(*) > 110 ORDER BY 1 LIMIT 5;
EXPLAIN QUERY PLAN SELECT * FROM people WHERE name = 'name5';
BEGIN; UPDATE people SET age = age + 1; SELECT sum(age) FROM people; ROLLBACK; SELECT sum(age) FROM people;
INSERT INTO people VALUES(1, 'twice', 3);
INSERT INTO people VALUES(NULL, 'negative', -3);
CREATE TRIGGER log AFTER DELETE ON people BEGIN INSERT INTO orders VALUES(NULL, old.id, -1); END;
DELETE FROM people WHERE id % 1000 = 0; SELECT count(*) FROM orders WHERE total = -1;
SELECT json_extract('{"a":[1,2,{"b":3}]}', '$.a[2].b'), upper(hex(zeroblob(4))), printf('%05.2f', 3.14159), date('2020-02-29', '+1 year');
SELECT id, sum(total) OVER (ORDER BY id ROWS 2 PRECEDING) FROM orders LIMIT 4;
CREATE VIRTUAL TABLE search USING fts5(body); INSERT INTO search VALUES('the quick brown fox'),('a lazy dog'),('quick dogs'); SELECT body FROM search WHERE search MATCH 'quick' ORDER BY rank;
VACUUM; PRAGMA integrity_check; PRAGMA page_count;
SQL
echo "== write-ahead log, six processes"
sqlite3 wal.db 'PRAGMA journal_mode=WAL; CREATE TABLE t(who INTEGER, n INTEGER);'
for who in 1 2 3 4; do
    (for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "PRAGMA busy_timeout=60000; BEGIN IMMEDIATE; INSERT INTO t VALUES($who, $n); COMMIT;"; done | sqlite3 wal.db > /dev/null || echo "writer $who: $?") &
done
for reader in 1 2; do
    (for n in 1 2 3 4 5 6; do echo 'PRAGMA busy_timeout=60000; SELECT count(*) - count(DISTINCT who || "." || n) FROM t;'; done | sqlite3 wal.db | grep -v 60000 | sort -u | sed "s/^/doubled: /") &
done
wait
sqlite3 wal.db 'SELECT who, count(*), sum(n) FROM t GROUP BY who; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA integrity_check;'
echo "== rollback journal, four processes"
sqlite3 old.db 'PRAGMA journal_mode=DELETE; CREATE TABLE c(n INTEGER); INSERT INTO c VALUES(0);'
for who in 1 2 3 4; do
    (for n in 1 2 3 4 5 6 7 8; do echo ".timeout 60000
BEGIN IMMEDIATE; UPDATE c SET n = n + 1; COMMIT;"; done | sqlite3 old.db || echo "writer $who: $?") &
done
wait
sqlite3 old.db 'SELECT n FROM c; PRAGMA integrity_check;'
echo "== a lock that is held"
(echo 'BEGIN EXCLUSIVE;'; echo '.shell touch locked'; sleep 1; echo 'COMMIT;') | sqlite3 old.db &
while [ ! -e locked ]; do sleep 0.02; done
sqlite3 old.db 'SELECT n FROM c;' 2>&1 | sed 's/.*database/database/'
wait
echo "== backup, dump, import"
sqlite3 base.db '.backup copy.db' && sqlite3 copy.db 'SELECT count(*) FROM people;'
sqlite3 base.db .dump | sqlite3 again.db && sqlite3 again.db .dump | md5sum | cut -c1-8; sqlite3 base.db .dump | md5sum | cut -c1-8
printf 'a,b\n1,x\n2,y\n' > in.csv; sqlite3 :memory: '.mode csv' '.import in.csv t' 'SELECT * FROM t;'
head -c 5000 base.db > broken.db; sqlite3 broken.db 'SELECT count(*) FROM people;' 2>&1 | sed 's/.*: //'
