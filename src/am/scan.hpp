// What others may ask of an open scan.
#pragma once

#include "am/index.hpp"
#include "am/scan_report.hpp"

namespace longbow::am {

// What a scan of ours has done up to now.
ScanReport scan_report(IndexScanDesc scan);

}  // namespace longbow::am
