// The library as PostgreSQL sees it: the magic block and what happens at load.
#include "am/batch.hpp"
#include "am/explain.hpp"
#include "am/index.hpp"
#include "am/metrics_server.hpp"
#include "am/worker.hpp"
#include "pg/activity.hpp"
#include "pg/boundary.hpp"
#include "pg/memory_stats.hpp"
#include "pg/sampler.hpp"
#include "pg/settings.hpp"
#include "pg/shared.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

// Defines the settings and the reloptions.
extern "C" void _PG_init(void) {
  longbow::pg::enter([] {
    longbow::am::define_metrics_listen();
    longbow::pg::define_settings();
    if (process_shared_preload_libraries_in_progress) {
      longbow::pg::request_shared_memory();
      longbow::pg::register_sampler();
      if (!IsBinaryUpgrade) {
        longbow::am::register_launcher();
        longbow::am::register_metrics_server();
      }
    }
    longbow::am::register_options();
    longbow::am::install_batch_hooks();
    longbow::am::install_explain_hook();
    longbow::pg::register_memory_callbacks();
    longbow::pg::register_activity_callbacks();
  });
}
