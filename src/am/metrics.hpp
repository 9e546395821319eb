// All metrics as text, for longbow_metrics() and for the server of GET /metrics.
#pragma once

#include "pg/boundary.hpp"

extern "C" {
#include "lib/stringinfo.h"
}

namespace longbow::am {

// Appends all metrics in Prometheus' exposition format. In a transaction; with or without a database.
void write_metrics(StringInfo out);

}  // namespace longbow::am
