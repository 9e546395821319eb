// Clients of Node that were written for pgvector, on a database with longbow and longbow_compat: node-postgres with the package
// pgvector, knex with its plug-in, drizzle-orm. Each makes a table and an index in pgvector's DDL, writes all four types, asks for
// neighbours and reads everything back.
//
//     node node_clients.mjs SOCKET-DIR DATABASE USER
import assert from 'node:assert/strict';
import pg from 'pg';
import pgvector from 'pgvector/pg';
import knexjs from 'knex';
import 'pgvector/knex';
import { SparseVector, toSql } from 'pgvector';
import { cosineDistance, hammingDistance, innerProduct, jaccardDistance, l1Distance, l2Distance } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { bit, bigserial, halfvec, pgTable, sparsevec, vector } from 'drizzle-orm/pg-core';

const [host, database, user] = process.argv.slice(2);
const connection = { host, database, user };
const vectors = [[1, 1, 1], [2, 2, 2], [1, 1, 2]];
const bits = ['000', '101', '111'];
const ids = (rows) => rows.map((row) => Number(row.id));

async function nodePostgres() {
  const client = new pg.Client(connection);
  await client.connect();
  await pgvector.registerTypes(client);
  await client.query('DROP TABLE IF EXISTS pg_items');
  await client.query(
    'CREATE TABLE pg_items (id bigserial PRIMARY KEY, embedding vector(3), half halfvec(3), bits bit(3), sparse sparsevec(3), list vector(3)[])');
  for (let i = 0; i < 3; i++)
    await client.query('INSERT INTO pg_items (embedding, half, bits, sparse) VALUES ($1, $2, $3, $4)',
      [pgvector.toSql(vectors[i]), pgvector.toSql(vectors[i]), bits[i], new SparseVector(vectors[i])]);
  await client.query('INSERT INTO pg_items (embedding) VALUES (NULL)');
  const order = async (text, value) => ids((await client.query(`SELECT id FROM pg_items WHERE embedding IS NOT NULL ORDER BY ${text} LIMIT 3`, [value])).rows);
  const check = async () => {
    assert.deepEqual(await order('embedding <-> $1', pgvector.toSql([1, 1, 1])), [1, 3, 2]);
    assert.deepEqual(await order('embedding <#> $1', pgvector.toSql([1, 1, 1])), [2, 3, 1]);
    assert.deepEqual((await order('embedding <=> $1', pgvector.toSql([1, 1, 2])))[0], 3);
    assert.deepEqual(await order('embedding <+> $1', pgvector.toSql([1, 1, 1])), [1, 3, 2]);
    assert.deepEqual(await order('half <-> $1', pgvector.toSql([1, 1, 1])), [1, 3, 2]);
    assert.deepEqual(await order('bits <~> $1', '101'), [2, 3, 1]);
    assert.deepEqual(await order('bits <%> $1', '101'), [2, 3, 1]);
    assert.deepEqual(await order('sparse <-> $1', new SparseVector([1, 1, 1])), [1, 3, 2]);
  };
  await check();
  await client.query('CREATE INDEX ON pg_items USING hnsw (embedding vector_l2_ops) WITH (m = 16, ef_construction = 64)');
  await client.query('CREATE INDEX ON pg_items USING ivfflat (embedding vector_ip_ops) WITH (lists = 1)');
  await client.query('CREATE INDEX ON pg_items USING hnsw (embedding vector_cosine_ops)');
  await client.query('CREATE INDEX ON pg_items USING hnsw (embedding vector_l1_ops)');
  await client.query('CREATE INDEX ON pg_items USING hnsw (half halfvec_l2_ops)');
  await client.query('CREATE INDEX ON pg_items USING hnsw (bits bit_hamming_ops)');
  await client.query('CREATE INDEX ON pg_items USING hnsw (bits bit_jaccard_ops)');
  await client.query('CREATE INDEX ON pg_items USING hnsw (sparse sparsevec_l2_ops)');
  await client.query('SET enable_seqscan = off');
  await client.query('SET hnsw.ef_search = 100');
  await client.query('SET ivfflat.probes = 10');
  await client.query('SET hnsw.iterative_scan = relaxed_order');
  await check();
  const { rows } = await client.query('SELECT * FROM pg_items ORDER BY id');
  assert.deepEqual(rows.slice(0, 3).map((row) => row.embedding), vectors);
  assert.deepEqual(rows.slice(0, 3).map((row) => row.half), vectors);
  assert.deepEqual(rows.slice(0, 3).map((row) => row.bits), bits);
  assert.deepEqual(rows.slice(0, 3).map((row) => row.sparse.toArray()), vectors);
  assert.equal(rows[3].embedding, null);
  const mean = await client.query('SELECT avg(embedding) AS mean, sum(half) AS total FROM pg_items');
  assert.deepEqual(mean.rows[0].total, [4, 4, 5]);
  assert.equal(mean.rows[0].mean.length, 3);
  await assert.rejects(client.query('INSERT INTO pg_items (embedding) VALUES ($1)', [pgvector.toSql([1, 2])]), { code: '22000', message: 'expected 3 dimensions, not 2' });
  await client.query('DROP TABLE pg_items');
  await client.end();
}

async function withKnex() {
  const knex = knexjs({ client: 'pg', connection });
  await knex.schema.dropTableIfExists('knex_items');
  await knex.schema.createTable('knex_items', (table) => {
    table.increments('id');
    table.vector('embedding', 3);
    table.halfvec('half', 3);
    table.specificType('bits', 'bit(3)');
    table.sparsevec('sparse', 3);
  });
  await knex('knex_items').insert(vectors.map((v, i) => (
    { embedding: toSql(v), half: toSql(v), bits: bits[i], sparse: new SparseVector(v) })));
  await knex.schema.alterTable('knex_items', (table) => {
    table.index(knex.raw('embedding vector_l2_ops'), 'knex_hnsw', 'hnsw');
    table.index(knex.raw('half halfvec_cosine_ops'), 'knex_ivfflat', 'ivfflat');
  });
  const order = async (expression) => ids(await knex('knex_items').orderBy(expression).limit(3));
  assert.deepEqual(await order(knex.l2Distance('embedding', [1, 1, 1])), [1, 3, 2]);
  assert.deepEqual(await order(knex.maxInnerProduct('embedding', [1, 1, 1])), [2, 3, 1]);
  assert.deepEqual((await order(knex.cosineDistance('half', [1, 1, 2])))[0], 3);
  assert.deepEqual(await order(knex.l1Distance('embedding', [1, 1, 1])), [1, 3, 2]);
  assert.deepEqual(await order(knex.hammingDistance('bits', '101')), [2, 3, 1]);
  assert.deepEqual(await order(knex.jaccardDistance('bits', '101')), [2, 3, 1]);
  assert.deepEqual(await order(knex.l2Distance('sparse', new SparseVector([1, 1, 1]))), [1, 3, 2]);
  const row = await knex('knex_items').where('id', 3).first();
  assert.deepEqual([row.embedding, row.half, row.bits, row.sparse], ['[1,1,2]', '[1,1,2]', '111', '{1:1,2:1,3:2}/3']);
  await knex.schema.dropTable('knex_items');
  await knex.destroy();
}

async function withDrizzle() {
  const pool = new pg.Pool(connection);
  await pool.query('DROP TABLE IF EXISTS drizzle_items');
  await pool.query('CREATE TABLE drizzle_items (id bigserial PRIMARY KEY, embedding vector(3), half halfvec(3), bits bit(3), sparse sparsevec(3))');
  await pool.query('CREATE INDEX ON drizzle_items USING hnsw (embedding vector_cosine_ops)');
  const items = pgTable('drizzle_items', {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    embedding: vector('embedding', { dimensions: 3 }),
    half: halfvec('half', { dimensions: 3 }),
    bits: bit('bits', { dimensions: 3 }),
    sparse: sparsevec('sparse', { dimensions: 3 }),
  });
  const db = drizzle(pool);
  await db.insert(items).values(vectors.map((v, i) => (
    { embedding: v, half: v, bits: bits[i], sparse: new SparseVector(v).toString() })));
  const order = async (expression) => ids(await db.select({ id: items.id }).from(items).orderBy(expression).limit(3));
  assert.deepEqual(await order(l2Distance(items.embedding, [1, 1, 1])), [1, 3, 2]);
  assert.deepEqual(await order(innerProduct(items.embedding, [1, 1, 1])), [2, 3, 1]);
  assert.deepEqual((await order(cosineDistance(items.embedding, [1, 1, 2])))[0], 3);
  assert.deepEqual(await order(l1Distance(items.half, [1, 1, 1])), [1, 3, 2]);
  assert.deepEqual(await order(hammingDistance(items.bits, '101')), [2, 3, 1]);
  assert.deepEqual(await order(jaccardDistance(items.bits, '101')), [2, 3, 1]);
  assert.deepEqual(await order(l2Distance(items.sparse, '{1:1,2:1,3:1}/3')), [1, 3, 2]);
  assert.deepEqual((await db.select().from(items).orderBy(items.id))[2],
    { id: 3, embedding: [1, 1, 2], half: [1, 1, 2], bits: '111', sparse: '{1:1,2:1,3:2}/3' });
  await pool.query('DROP TABLE drizzle_items');
  await pool.end();
}

let failed = 0;
for (const [name, run] of [['pg', nodePostgres], ['knex', withKnex], ['drizzle-orm', withDrizzle]]) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    console.log(`not ok ${name}`);
    console.error(error);
    failed++;
  }
}
// A pool that a failure left open must not keep the process.
process.exit(failed === 0 ? 0 : 1);
