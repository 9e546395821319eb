// What EXPLAIN shows of our scans.
#pragma once

namespace longbow::am {

// Called by _PG_init. Does nothing before PostgreSQL 18.
void install_explain_hook();

}  // namespace longbow::am
