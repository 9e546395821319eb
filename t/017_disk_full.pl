# The disk of the side WAL is full: no row is lost and no insert fails, the view says so, the log comes back by itself when there is
# room again, and a crash in between costs nothing. Its folder is a tmpfs in the server's own mount namespace; where none can
# be had, skipped.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

plan skip_all => 'no mount namespace can be had here' if !may_mount();

my $node = new_cluster('disk_full', <<'CONF');
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.delta_memory = '64MB'
CONF
my $folder = $node->data_dir . '/longbow';
start_with_mount($node, $folder, '70m');
add_data_functions($node);
$node->safe_psql('postgres', <<'SQL');
-- Vectors that fill the side WAL, and do not compress.
CREATE TABLE t (id serial, v vector(1500));
CREATE INDEX t_v ON t USING longbow (v);
CREATE TABLE source AS SELECT i, (SELECT array_agg((random() + d * i * 1e-9)::real)::vector FROM generate_series(1, 1500) d) AS v FROM generate_series(1, 1000) i;
SQL

sub value { return $node->safe_psql('postgres', $_[0]); }
sub insert
{
	my ($rows) = @_;
	return $node->psql('postgres', "INSERT INTO t (v) SELECT v FROM source LIMIT $rows");
}
sub is_whole
{
	my ($when) = @_;
	is(value("SELECT longbow_check('t_v')"), value('SELECT count(*) FROM t'), "$when: the index is whole");
	is(unfound($node, '(SELECT * FROM t ORDER BY id DESC LIMIT 40)', 't'), 0, "$when: the last rows are found");
	return;
}

is(insert(100), 0, 'with room');
is(value('SELECT requested = effective OR reason IS NOT NULL FROM longbow_stat_storage'), 't', 'the log works');
my $effective = value('SELECT effective FROM longbow_stat_storage');
isnt($effective, 'none', "by $effective");
is_whole('with room');

# All that is left goes to somebody else's file; then more rows than the segments at hand hold.
value("COPY (SELECT 1) TO PROGRAM 'dd if=/dev/zero of=$folder/filler bs=1M >/dev/null 2>&1 || true'");
for my $round (1 .. 12)
{
	is(insert(1000), 0, "no insert fails, round $round");
	last if value('SELECT errors > 0 FROM longbow_stat_storage') eq 't';
}
is(value('SELECT errors > 0 FROM longbow_stat_storage'), 't', 'the error is counted');
like(value('SELECT last_error FROM longbow_stat_storage'), qr/No space left on device/, 'and shown');
is(value('SELECT effective FROM longbow_stat_storage'), 'none', 'meanwhile rows are not logged');
my $said = qr/LOG:  could not write the side WAL of longbow: No space left on device/;
for my $try (1 .. 300) { last if slurp_file($node->logfile) =~ $said; usleep(100_000); }
like(slurp_file($node->logfile), $said, "the server's log has it");
is(insert(100), 0, 'inserts go on');
is_whole('full');

value("COPY (SELECT 1) TO PROGRAM 'rm $folder/filler'");
for my $try (1 .. 600)
{
	insert(1);
	last if value('SELECT effective FROM longbow_stat_storage') eq $effective;
	usleep(100_000);
}
is(value('SELECT effective FROM longbow_stat_storage'), $effective, 'with room again the log works again');
is(insert(100), 0, 'and takes rows');
is_whole('room again');

# What lay in memory is gone with the mount: the table has it all.
value("COPY (SELECT 1) TO PROGRAM 'dd if=/dev/zero of=$folder/filler bs=1M >/dev/null 2>&1 || true'");
insert(1000);
$node->stop('immediate');
start_with_mount($node, $folder, '70m');
is_whole('after a crash, without a side WAL');
$node->stop;
done_testing();
