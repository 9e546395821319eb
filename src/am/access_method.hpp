// Which access methods and indexes are ours: longbow, and the aliases hnsw and ivfflat that longbow_compat makes of it. Whoever
// must tell asks here; the name of an access method says nothing, since pgvector's own have the same ones.
#pragma once

#include <cstdint>

#include "longbow/tree/search.hpp"
#include "pg/boundary.hpp"

extern "C" {
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/rel.h"
}

namespace longbow::am {

// Under which name an index of ours was made: what its options and settings are called.
enum class Alias : std::uint8_t { none, hnsw, ivfflat };

// Whether an open relation is an index of ours, under any name. Not a partitioned index, which has no pages.
bool is_longbow_index(Relation relation);
// Whether an access method's handler is one of ours.
bool is_longbow_am(Oid access_method);
// The OIDs of this database's access methods whose handlers are ours.
List* longbow_ams();
// The name by which an index of ours was made.
Alias alias_of(Relation index);

// Takes what pgvector's settings ask of a search of an alias's index. They are placeholders, or pgvector's own where its
// library is loaded: never defined by us. A value that pgvector would refuse is an error (22023).
//   hnsw.ef_search          the first wave visits the leaves that so many rows need, if that is more
//   ivfflat.probes          the first wave visits that share of the leaves, probes / lists, if that is more
//   hnsw.iterative_scan     strict_order: as longbow.strict_order
void read_alias_settings(Relation index, const tree::Meta& meta, tree::SearchOptions& options);

}  // namespace longbow::am
