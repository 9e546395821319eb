// What differs between PostgreSQL 15, 16, 17 and 18, in one place.
//
// Include it after every other header: it includes postgres.h.
#pragma once

#include "pg/boundary.hpp"

extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "access/amapi.h"
#include "access/genam.h"
#include "access/relscan.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "varatt.h"
#endif
#include "catalog/pg_class.h"
#include "commands/vacuum.h"
#include "common/relpath.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/smgr.h"
#include "utils/acl.h"
#if PG_VERSION_NUM >= 160000
#include "utils/relfilenumbermap.h"
#else
#include "utils/relfilenodemap.h"
#endif
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/wait_event.h"
}

// LB_SOFT_ERROR(context, result, errcode(...), errmsg(...)): an error of an input function. On 16 and later a caller
// that passed an ErrorSaveContext gets it there and result is returned; otherwise it is an ereport.
#if PG_VERSION_NUM >= 160000
#define LB_SOFT_ERROR(context, result, ...) ereturn(context, result, (__VA_ARGS__))
#else
#define LB_SOFT_ERROR(context, result, ...) \
  do {                                      \
    (void)(context);                        \
    ereport(ERROR, (__VA_ARGS__));          \
    return result;                          \
  } while (0)
#endif

// Extends a relation by one block, which comes back pinned and locked exclusively before anyone else can see it.
inline Buffer extend_locked(Relation relation) {
#if PG_VERSION_NUM >= 160000
  return ExtendBufferedRel(BMR_REL(relation), MAIN_FORKNUM, nullptr, EB_LOCK_FIRST);
#else
  const bool local = RELATION_IS_LOCAL(relation);
  if (!local) LockRelationForExtension(relation, ExclusiveLock);
  const Buffer buffer = ReadBuffer(relation, P_NEW);
  LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
  if (!local) UnlockRelationForExtension(relation, ExclusiveLock);
  return buffer;
#endif
}

// Index builds by parallel workers: 17 and later plan them for access methods that say so, before that the build does.
inline void lb_can_build_parallel([[maybe_unused]] IndexAmRoutine* am) {
#if PG_VERSION_NUM >= 170000
  am->amcanbuildparallel = true;
#endif
}
inline int lb_build_workers([[maybe_unused]] Relation heap, [[maybe_unused]] Relation index, IndexInfo* info) {
#if PG_VERSION_NUM >= 170000
  return info->ii_ParallelWorkers;
#else
  (void)info;
  return plan_create_index_workers(RelationGetRelid(heap), RelationGetRelid(index));
#endif
}

inline void lb_vacuum_delay_point() {
#if PG_VERSION_NUM >= 180000
  vacuum_delay_point(false);
#else
  vacuum_delay_point();
#endif
}

// Whether the current user owns a relation (superusers own everything).
inline bool lb_owns_relation(Oid oid) {
#if PG_VERSION_NUM >= 160000
  return object_ownercheck(RelationRelationId, oid, GetUserId());
#else
  return pg_class_ownercheck(oid, GetUserId());
#endif
}

// The search path of a maintenance operation; 17 and later set it for every such operation.
inline void lb_restrict_search_path() {
#if PG_VERSION_NUM >= 170000
  RestrictSearchPath();
#endif
}

// Counts a search for EXPLAIN, which 18 and later show.
inline void lb_count_search([[maybe_unused]] IndexScanDesc scan) {
#if PG_VERSION_NUM >= 180000
  if (scan->instrument != nullptr) scan->instrument->nsearches++;
#endif
}

// What ExecutorRun's hook takes and hands on: 18 has dropped execute_once.
#if PG_VERSION_NUM >= 180000
#define LB_EXECUTOR_RUN_PARAMETERS QueryDesc *query, ScanDirection direction, uint64 count
#define LB_EXECUTOR_RUN_ARGUMENTS query, direction, count
#else
#define LB_EXECUTOR_RUN_PARAMETERS QueryDesc *query, ScanDirection direction, uint64 count, bool once
#define LB_EXECUTOR_RUN_ARGUMENTS query, direction, count, once
#endif

// The identity of a relation's file.
#if PG_VERSION_NUM >= 160000
using LbLocator = RelFileLocator;
inline LbLocator lb_locator(Relation relation) { return relation->rd_locator; }
inline bool lb_same_file(const LbLocator& a, const LbLocator& b) { return RelFileLocatorEquals(a, b); }
inline Oid lb_tablespace(const LbLocator& file) { return file.spcOid; }
inline Oid lb_database(const LbLocator& file) { return file.dbOid; }
inline Oid lb_relation(const LbLocator& file) { return file.relNumber; }
#else
using LbLocator = RelFileNode;
inline LbLocator lb_locator(Relation relation) { return relation->rd_node; }
inline bool lb_same_file(const LbLocator& a, const LbLocator& b) { return RelFileNodeEquals(a, b); }
inline Oid lb_tablespace(const LbLocator& file) { return file.spcNode; }
inline Oid lb_database(const LbLocator& file) { return file.dbNode; }
inline Oid lb_relation(const LbLocator& file) { return file.relNode; }
#endif

// Where a relation's first segment file lies, relative to the data directory.
inline void lb_file_path(Relation relation, char (&out)[MAXPGPATH]) {
#if PG_VERSION_NUM >= 180000
  strlcpy(out, relpath(RelationGetSmgr(relation)->smgr_rlocator, MAIN_FORKNUM).str, sizeof out);
#elif PG_VERSION_NUM >= 160000
  char* path = relpath(RelationGetSmgr(relation)->smgr_rlocator, MAIN_FORKNUM);
  strlcpy(out, path, sizeof out);
  pfree(path);
#else
  char* path = relpath(RelationGetSmgr(relation)->smgr_rnode, MAIN_FORKNUM);
  strlcpy(out, path, sizeof out);
  pfree(path);
#endif
}

// Writes a block at or beyond the end of a relation's file, past shared buffers; the caller syncs the file.
inline void lb_extend_file(Relation relation, BlockNumber block, const void* page) {
#if PG_VERSION_NUM >= 160000
  smgrextend(RelationGetSmgr(relation), MAIN_FORKNUM, block, page, true);
#else
  smgrextend(RelationGetSmgr(relation), MAIN_FORKNUM, block, static_cast<char*>(const_cast<void*>(page)), true);
#endif
}

// The relation of this database whose file it is, as far as this transaction sees.
inline Oid lb_relation_of_file(const LbLocator& file) {
#if PG_VERSION_NUM >= 160000
  return RelidByRelfilenumber(file.spcOid, file.relNumber);
#else
  return RelidByRelfilenode(file.spcNode, file.relNode);
#endif
}

// A scan of an index that fetches rows of its table; 18 and later can count for EXPLAIN.
inline IndexScanDesc lb_index_beginscan(Relation heap, Relation index, Snapshot snapshot, int keys, int orderbys) {
#if PG_VERSION_NUM >= 180000
  return index_beginscan(heap, index, snapshot, nullptr, keys, orderbys);
#else
  return index_beginscan(heap, index, snapshot, keys, orderbys);
#endif
}

// This process's number among all that have a place in shared memory; below MaxBackends but for auxiliary processes.
inline int lb_proc_number() {
#if PG_VERSION_NUM >= 170000
  return MyProcNumber;
#else
  return MyProc->pgprocno;
#endif
}

// The number of a wait event of ours: 17 and later give it a name, before that all extensions share one.
inline uint32 lb_new_wait_event([[maybe_unused]] const char* name) {
#if PG_VERSION_NUM >= 170000
  return WaitEventExtensionNew(name);
#else
  return PG_WAIT_EXTENSION;
#endif
}

inline bool lb_conditional_lock_tuple(Relation relation, ItemPointer tid, LOCKMODE mode) {
#if PG_VERSION_NUM >= 180000
  return ConditionalLockTuple(relation, tid, mode, false);
#else
  return ConditionalLockTuple(relation, tid, mode);
#endif
}
