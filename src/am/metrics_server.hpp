// The background worker that serves GET /metrics.
#pragma once

namespace longbow::am {

// Defines longbow.metrics_listen; registers the worker if the setting is not empty and the postmaster is preloading.
void define_metrics_listen();
void register_metrics_server();

}  // namespace longbow::am
