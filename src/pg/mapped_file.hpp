// Memory that lies in a temporary file: what does not fit into maintenance_work_mem goes there, and the kernel decides which
// pages of it stay in memory.
#pragma once

extern "C" {
#include "postgres.h"

#include "storage/sharedfileset.h"
}

namespace longbow::pg {

// Maps a new temporary file of this backend's, of `bytes` bytes; it is unmapped when `context` is reset or deleted.
// Counts against temp_file_limit. Errors: no room on the disk (53100), above the limit (53400).
char* map_temporary_file(Size bytes, MemoryContext context);
// The same in a set that parallel workers share: the leader makes it, workers open it.
char* map_shared_file(SharedFileSet* set, Size bytes, bool make, MemoryContext context);

}  // namespace longbow::pg
