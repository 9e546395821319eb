# Floors of recall@10 at the default target of 0.95: after a build, after growth by inserts, after half the rows have gone.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = new_cluster('recall', "max_parallel_maintenance_workers = 0");
$node->start;
add_data_functions($node);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE source (id int PRIMARY KEY, v vector(100));
INSERT INTO source SELECT i, blob(i, 100) FROM generate_series(1, 50000) i;
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 100) AS v FROM generate_series(1, 100) i;
CREATE TABLE built AS TABLE source;
CREATE INDEX ON built USING longbow (v);
ANALYZE built;
CREATE TABLE grown AS SELECT * FROM source WHERE id <= 1000;
CREATE INDEX ON grown USING longbow (v);
CREATE TABLE empty (LIKE source);
CREATE INDEX ON empty USING longbow (v);
SQL

sub floor_holds
{
	my ($table, $when) = @_;
	my $recall = recall($node, $table, 'q');
	diag("$when: recall\@10 = $recall");
	cmp_ok($recall, '>=', 0.93, $when);
	is($node->safe_psql('postgres', "SELECT longbow_check('${table}_v_idx')"),
		$node->safe_psql('postgres', "SELECT count(*) FROM $table"), "$when: the index is whole");
	return;
}

floor_holds('built', 'built over 50,000 rows');
my $start = time;
$node->safe_psql('postgres', 'INSERT INTO grown SELECT * FROM source WHERE id > 1000');
diag(sprintf('49,000 rows inserted in %.1f s', time - $start));
floor_holds('grown', 'grown from 1,000 to 50,000 rows');
$node->safe_psql('postgres', 'INSERT INTO empty SELECT * FROM source WHERE id <= 20000');
floor_holds('empty', 'grown from nothing to 20,000 rows');
for my $table ('built', 'grown')
{
	$node->safe_psql('postgres', "DELETE FROM $table WHERE id % 2 = 0");
	$node->safe_psql('postgres', "VACUUM $table");
	floor_holds($table, "$table, half of it deleted and vacuumed");
}
$node->stop;
done_testing();
