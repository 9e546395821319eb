// Background workers: one launcher a server, one worker at a time for each database that has something to merge.
#pragma once

namespace longbow::am {

// Registers the launcher; called while the postmaster preloads libraries.
void register_launcher();

}  // namespace longbow::am
