# The disk of a table or of its index is full (a small tmpfs in the server's own mount namespace; where none can be had,
# skipped): a statement fails with PostgreSQL's own error and leaves nothing behind, rows of before are found, VACUUM works,
# and with room again everything goes on, merges too. With shared memory and without.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no mount namespace can be had here' if !may_mount();

my $no_space = qr/ERROR:  53100: could not (?:extend|write) file ".*": .*No space left on device\nHINT:  Check free disk space\./;
my $node;
my $folder;

sub value { return $node->safe_psql('postgres', $_[0]); }
sub is_whole
{
	my ($when) = @_;
	is(value("SELECT longbow_check('t_v')"), value('SELECT count(*) FROM t'), "$when: the index is whole");
	is(unfound($node, '(SELECT * FROM t ORDER BY id DESC LIMIT 200)', 't'), 0, "$when: the last rows are found");
	is(unfound($node, '(SELECT * FROM t ORDER BY id LIMIT 100)', 't'), 0, "$when: the first rows are found");
	is(strangers($node, 't', 'q'), 0, "$when: every row once");
	return;
}
# A statement as a client has it: its error, or nothing.
sub try_it
{
	my ($statement) = @_;
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement");
	return $err;
}
my $last = 0;
sub insert
{
	my ($rows) = @_;
	my ($from, $to) = ($last + 1, $last + $rows);
	$last = $to;
	return "INSERT INTO t SELECT i, point(i) FROM generate_series($from, $to) i";
}
sub fill_disk { value("COPY (SELECT 1) TO PROGRAM 'dd if=/dev/zero of=$folder/filler bs=8k >/dev/null 2>&1 || true'"); return; }
sub make_room { value("COPY (SELECT 1) TO PROGRAM 'rm $folder/filler'"); return; }

# Inserts until the disk is full; every statement is there as a whole or not at all.
sub fill_up
{
	my ($when, $wrap) = @_;
	for my $round (1 .. 60)
	{
		my $rows = value('SELECT count(*) FROM t');
		my $err = try_it($wrap->(insert(250)));
		next if $err eq '';
		like($err, $no_space, "$when: PostgreSQL's error");
		is(value('SELECT count(*) FROM t'), $rows, "$when: the statement has left no row");
		return;
	}
	fail("$when: the disk was never full");
	return;
}

for my $preload ('longbow', '')
{
	my $with = $preload ? 'preloaded' : 'bare';
	$node = new_cluster("full_$with", "shared_preload_libraries = '$preload'\nlongbow.gc_percent = -1\nlongbow.delta_memory = '1MB'");
	$folder = $node->basedir . '/small';
	start_with_mount($node, $folder, '12m');
	add_data_functions($node);
	add_point($node, 40);
	value("COPY (SELECT 1) TO PROGRAM 'mkdir $folder/space'");
	value("CREATE TABLESPACE small LOCATION '$folder/space'");
	for my $what ('index', 'table')
	{
		my $when = "$with, $what";
		my ($table, $index) = $what eq 'table' ? ('TABLESPACE small', '') : ('', 'TABLESPACE small');
		$last = 0;
		value("CREATE TABLE t (id int, v vector(40)) $table; CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16) $index");
		value('CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 40) AS v FROM generate_series(1, 5) i') if $what eq 'index' ;
		value(insert(600));
		value("SELECT longbow_merge('t_v')") if $preload;
		value(insert(300));
		# Maps of visible rows and free space have room of their own by now: without it VACUUM of a table fails for any index.
		value('VACUUM t');
		fill_disk();
		fill_up("$when full", sub { $_[0] });
		is_whole("$when full");
		fill_up("$when full, in a transaction", sub { "BEGIN; INSERT INTO t VALUES (-$last, point(-$last)); $_[0]; COMMIT" });
		fill_up("$when full, COPY", sub { (my $query = $_[0]) =~ s/^INSERT INTO t //; "\\copy ($query) TO '$folder.rows'\n\\copy t FROM '$folder.rows'" });
		# What fails is a part: the rest stays.
		is(try_it(<<'SQL'), '', "$when full: an error that is caught");
DO $$
BEGIN
  FOR i IN 1 .. 200 LOOP
    BEGIN
      INSERT INTO t SELECT 1000000 + 1000 * i + j, point(1000000 + 1000 * i + j) FROM generate_series(1, 120) j;
    EXCEPTION WHEN disk_full THEN
      RETURN;
    END;
  END LOOP;
END $$;
SQL
		is(value('SELECT count(*) % 120 FROM t WHERE id > 1000000'), 0, "$when full: it takes its own rows alone");
		is_whole("$when full, all ways tried");
		if ($preload)
		{
			my $err = try_it("SELECT longbow_merge('t_v')");
			like($err, $no_space, "$when full: a merge fails, too") if $err ne '';
			is_whole("$when full, merge tried");
		}
		value('DELETE FROM t WHERE id % 4 = 0');
		# It merges pending rows, too, once the dead are gone: that may need room.
		my $err = try_it('VACUUM (INDEX_CLEANUP on, TRUNCATE off) t');
		my $merges = $preload && $what eq 'index';
		ok($merges ? $err eq '' || $err =~ $no_space : $err eq '', "$when full: VACUUM") or diag($err);
		is(value('SELECT rows + pending - (SELECT count(*) FROM t) FROM longbow_stat_index'), 0, "$when full, vacuumed: dead rows are gone") if $err eq '';
		is_whole("$when full, vacuumed");
		$err = try_it(insert(40));
		ok($merges ? $err eq '' || $err =~ $no_space : $err eq '', "$when full, vacuumed: what became free is used") or diag($err);
		is_whole("$when full, vacuumed and inserted");
		# Workers fail meanwhile, too, and come back.
		if ($merges)
		{
			set_config($node, 'longbow.gc_percent' => 0);
			$node->reload;
			$node->wait_for_log(qr/background worker "longbow worker" .* exited with exit code 1/) if value('SELECT pending > 200 FROM longbow_stat_index') eq 't';
			is_whole("$when full, workers");
		}
		make_room();
		if ($merges)
		{
			ok($node->poll_query_until('postgres', 'SELECT pending = 0 FROM longbow_stat_index'), "$when, room again: a worker merges");
			set_config($node, 'longbow.gc_percent' => -1);
			$node->reload;
		}
		is(try_it(insert(1000)), '', "$when, room again: inserts go on");
		is_whole("$when, room again");
		value("SELECT longbow_merge('t_v')");
		is(value("SELECT pending FROM longbow_stat_index"), 0, "$when, room again: nothing is pending");
		value('VACUUM t');
		is_whole("$when, merged and vacuumed");
		value('DROP TABLE t');
	}
	unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, "$with: no process crashed");
	$node->stop;
}
done_testing();
