"""A private cluster for benchmarks written in Python: its own folder and socket, fsync on, removed at the end."""

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def stop(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def add_pg_config(parser):
    parser.add_argument("--pg-config", default=os.environ.get("PG_CONFIG", "pg_config"), help="of the server (PG_CONFIG, or that on the path)")


def describe_machine(pg_config):
    """What figures are worth nothing without: processor, kernel, server, revision, date."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    revision = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False).stdout.strip()
    version = subprocess.run([pg_config, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return {"cpu": models[0] if models else "unknown", "cpus": os.cpu_count(), "kernel": os.uname().release,
            "revision": revision or "unknown", "postgres": version, "date": time.strftime("%Y-%m-%d %H:%M:%S %z")}


def save(options, results):
    """Writes the figures to --json, where it is given."""
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": describe_machine(options.pg_config), "options": vars(options), "results": results}, file, indent=1)


class Cluster:
    """Superuser "bench"; run as an unprivileged user when we are root."""

    def __init__(self, pg_config, directory, settings, initdb=()):
        self.bin = subprocess.run([pg_config, "--bindir"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.folder = tempfile.mkdtemp(prefix="lb-", dir=directory)
        self.data, self.log = os.path.join(self.folder, "data"), os.path.join(self.folder, "log")
        self.user = {}
        if os.geteuid() == 0:
            name = "postgres" if "postgres" in [p.pw_name for p in pwd.getpwall()] else "nobody"
            shutil.chown(self.folder, name)
            self.user = {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
        self.run("initdb", "-D", self.data, "-A", "trust", "-E", "UTF8", "--locale=C", "-U", "bench", "-N", *initdb)
        fixed = {"listen_addresses": "", "unix_socket_directories": self.folder, "autovacuum": "off", "jit": "off",
                 "shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "1h", "fsync": "on"}
        with open(os.path.join(self.data, "postgresql.auto.conf"), "w", encoding="utf-8") as conf:
            conf.writelines(f"{key} = '{value}'\n" for key, value in (fixed | settings).items())
        self.run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "start")

    def run(self, program, *arguments):
        done = subprocess.run([f"{self.bin}/{program}", *arguments], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env={**os.environ, "LC_ALL": "C"}, **self.user)
        if done.returncode != 0:
            stop(f"{program} {' '.join(arguments)}\n{done.stdout[-2000:]}")
        return done.stdout

    def psql(self, sql, *options, **how):
        """What a session that runs all of `sql` prints, or the process itself with wait=False."""
        wait = how.pop("wait", True)
        process = subprocess.Popen([f"{self.bin}/psql", "-h", self.folder, "-U", "bench", "-d", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1",
                                    *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
        if not wait:
            process.stdin.write(sql)
            process.stdin.close()
            return process
        out, err = process.communicate(sql)
        if process.returncode != 0:
            stop(err.strip())
        return out.strip()

    def close(self):
        subprocess.run([f"{self.bin}/pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop"], stdout=subprocess.DEVNULL, cwd="/",
                       check=False, **self.user)
        shutil.rmtree(self.folder)


def words_sql(table, rows):
    """SQL that makes a table (id, v vector(100)) of so many rows: the words of data/words.csv.gz, again and again with noise
    that depends on nothing but the row's number."""
    path = os.path.join(ROOT, "data", "words.csv.gz")
    return f"""
CREATE TEMP TABLE word (word text, v vector(100));
\\copy word FROM PROGRAM 'gzip -dc {path}' (FORMAT csv, HEADER)
CREATE TEMP TABLE numbered AS SELECT row_number() OVER () - 1 AS n, v::real[] AS v FROM word;
CREATE INDEX ON numbered (n);
ANALYZE numbered;
CREATE TABLE {table} AS SELECT i AS id, (SELECT array_agg((x + CASE WHEN i < 20000 THEN 0 ELSE
    0.1 * ((hashint8extended(i, d) & 65535) / 32768.0 - 1) END)::real ORDER BY d) FROM unnest(v) WITH ORDINALITY AS u (x, d))::vector(100) AS v
  FROM generate_series(0, {rows - 1}::bigint) i JOIN numbered ON n = i % (SELECT count(*) FROM numbered) ORDER BY i;
"""
