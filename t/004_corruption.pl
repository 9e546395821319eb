# Random bytes on every kind of page of an index: searches, inserts, vacuum and the check end in a clear error or in an
# answer; the server neither crashes nor loops.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{LONGBOW_CORRUPTION_SEED} // 1;
srand($seed);
note("seed $seed");

use constant { PAGE => 8192, TRAILER => 8192 - 24, HEADER => 24 };
my %kinds = (meta => 2, centre => 3, leaf => 4, inner => 4, scan => 5, refine => 6, centroid => 7, plain => 8);
my @ways = ('whole', 'part', 'trailer', 'word', 'zero');

# Checksums would catch the damage before our code sees it.
my $node = new_cluster('damaged', "ignore_checksum_failure = on\nstatement_timeout = 30s\nzero_damaged_pages = off");
$node->start;
add_data_functions($node);

# One table for each kind of page and way of damage.
my @cases;
for my $kind (sort keys %kinds)
{
	push @cases, { kind => $kind, way => $_, table => "t_${kind}_$_" } for @ways;
}
my $sql = "CREATE TABLE narrow AS SELECT i AS id, blob(i, 30) AS v FROM generate_series(1, 1200) i;
CREATE TABLE wide AS SELECT i AS id, blob(i, 2000) AS v FROM generate_series(1, 60) i;\n";
for my $case (@cases)
{
	# Narrow leaves have their codes in their heads; wide ones have pages for them and for centroids.
	my ($from, $dims) = $case->{kind} =~ /^(centroid|scan)$/ ? ('wide', 2000) : ('narrow', 30);
	$sql .= "CREATE TABLE $case->{table} (id int, v vector($dims));
INSERT INTO $case->{table} SELECT * FROM $from UNION ALL SELECT -i, NULL FROM generate_series(1, 20) i;
CREATE INDEX ON $case->{table} USING longbow (v) WITH (leaf_size = 16);\n";
	$case->{from} = $from;
}
$node->safe_psql('postgres', $sql);
$_->{file} = $node->data_dir . '/'
  . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_->{table}_v_idx')") for @cases;
$node->stop;

sub random_bytes { return join('', map { chr(int(rand(256))) } 1 .. $_[0]); }

# Damages two pages of a kind in an index file; returns how many there were.
sub damage
{
	my ($case) = @_;
	open(my $file, '+<:raw', $case->{file}) or die "$case->{file}: $!";
	my @found;
	for (my $at = 0; ; $at += PAGE)
	{
		my $page;
		seek($file, $at, 0);
		last if (read($file, $page, PAGE) // 0) < PAGE;
		my ($kind, $magic) = (unpack('x12v', substr($page, TRAILER)), unpack('x18v', substr($page, TRAILER)));
		next if $magic != 0x4C42 || $kind != $kinds{ $case->{kind} };
		my $level = unpack('v', substr($page, HEADER + 4, 2));
		next if $case->{kind} eq 'leaf' && $level != 0 || $case->{kind} eq 'inner' && $level == 0;
		push @found, $at;
	}
	for my $times (1 .. (@found > 1 ? 2 : @found))
	{
		my $at = $found[ int(rand(@found)) ];
		my ($from, $bytes) = (HEADER, PAGE - HEADER);
		($from, $bytes) = (HEADER + int(rand(7000)), 1 + int(rand(1000))) if $case->{way} eq 'part';
		($from, $bytes) = (TRAILER, 24) if $case->{way} eq 'trailer';
		($from, $bytes) = (HEADER + 4 * int(rand(40)), 4) if $case->{way} eq 'word';
		seek($file, $at + $from, 0);
		print $file ($case->{way} eq 'zero' ? "\0" x $bytes : random_bytes($bytes));
	}
	close($file);
	return scalar @found;
}

for my $case (@cases)
{
	my $found = damage($case);
	ok($found > 0, "$case->{table}: there are pages of that kind");
}
$node->start;

my %seen;
for my $case (@cases)
{
	my $t = $case->{table};
	my @work = (
		(map { "SELECT count(*) FROM (SELECT id FROM $t ORDER BY v <-> (SELECT v FROM $case->{from} WHERE id = $_) LIMIT 10) x" }
			  (1, 17, 44)),
		"SELECT count(*) FROM (SELECT id FROM $t ORDER BY v <-> (SELECT v FROM $case->{from} WHERE id = 9)) x",
		"SELECT count(*) FROM (SELECT id FROM $t ORDER BY v <-> NULL::vector) x",
		"INSERT INTO $t SELECT id + 10000, v FROM $case->{from} WHERE id % 12 = 5",
		"INSERT INTO $t SELECT 20000, v FROM $case->{from}, generate_series(1, 40) WHERE id = 3",
		"INSERT INTO $t VALUES (30000, NULL)",
		"DELETE FROM $t WHERE id % 4 = 1",
		"VACUUM $t",
		"SELECT longbow_check('${t}_v_idx')",
		"SELECT count(*) FROM (SELECT id FROM $t ORDER BY v <-> (SELECT v FROM $case->{from} WHERE id = 2) LIMIT 10) x");
	my ($rc, $out, $err) = $node->psql('postgres',
		join("\n", '\set VERBOSITY verbose', 'SET enable_seqscan = off;', map { "$_;" } @work), on_error_stop => 0);
	my @states = $err =~ /ERROR:  ([0-9A-Z]{5}): ([^\n]*)/g;
	my @bad;
	while (my ($state, $text) = splice(@states, 0, 2))
	{
		$seen{$state}++;
		# The executor's own word for a bound that was damaged.
		next if $state eq 'XX000' && $text =~ /index returned tuples in wrong order/;
		push @bad, "$state $text" if $state !~ /^XX00[12]$/;
	}
	is(join("; ", @bad), '', "$t: errors say that the index is damaged");
	is($rc, 0, "$t: the server is there");
	unlike($err, qr/server closed|connection .* lost/, "$t: no connection was lost");
}
note(join(', ', map { "$_ $seen{$_} times" } sort keys %seen));
ok(($seen{XX002} // 0) > 0, 'damage was met');
is($node->safe_psql('postgres', "REINDEX TABLE t_meta_whole; SELECT longbow_check('t_meta_whole_v_idx') > 0"), 't',
	'REINDEX mends');

# Bit strings as they were kept before their codes were the bits: refused with a hint, not taken for damage.
$node->safe_psql('postgres', "CREATE TABLE old (id int, v bit(20));
INSERT INTO old SELECT i, i::bit(20) FROM generate_series(1, 300) i;
CREATE INDEX old_v ON old USING longbow (v bit_hamming_ops);");
my $old = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('old_v')");
$node->stop;
open(my $file, '+<:raw', $old) or die "$old: $!";
seek($file, HEADER + 7, 0);
print $file chr(3);
close($file);
$node->start;
my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose
SET enable_seqscan = off; SELECT id FROM old ORDER BY v <~> B'00000000000000000001' LIMIT 1");
like($err, qr/ERROR:  55000: index holds bit strings as an earlier version of longbow did\nHINT:  Rebuild it with REINDEX INDEX\./,
	'an index of the earlier format asks for REINDEX');
is($node->safe_psql('postgres', "REINDEX INDEX old_v; SELECT longbow_check('old_v')"), '300', 'REINDEX rebuilds it');

unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'no process crashed');
$node->stop('fast');
done_testing();
